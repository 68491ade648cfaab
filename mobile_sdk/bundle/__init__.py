"""Bundles: a program comes in, and one folder for each runtime goes out, which apps embed as it is."""

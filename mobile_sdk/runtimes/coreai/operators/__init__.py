"""Writes operators for Core AI, one file for each family."""

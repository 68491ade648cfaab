"""Holds the tests that every runtime passes, and a folder for each runtime."""

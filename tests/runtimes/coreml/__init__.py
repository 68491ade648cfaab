"""Holds the tests of Core ML's package."""

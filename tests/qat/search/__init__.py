"""Holds the tests of the search for nets."""

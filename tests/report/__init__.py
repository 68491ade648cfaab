"""Holds the tests of the report."""

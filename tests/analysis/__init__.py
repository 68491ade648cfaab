"""Holds the tests that say which layer costs how much."""

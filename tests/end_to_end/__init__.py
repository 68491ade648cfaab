"""Holds the tests of whole jobs, by the commands that a user types."""

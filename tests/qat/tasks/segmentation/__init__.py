"""Holds the tests of learning masks."""

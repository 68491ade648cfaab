"""Holds the tests of keys and of signatures."""

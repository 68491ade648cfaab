"""Holds the tests of lists of labels."""

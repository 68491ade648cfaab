"""Holds the tests of learning boxes."""

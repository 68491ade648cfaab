"""Holds the tests of learning labels."""

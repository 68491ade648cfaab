"""Holds the tests of the demo apps."""

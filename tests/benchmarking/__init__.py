"""Holds the tests of the benchmark and of its statistics."""

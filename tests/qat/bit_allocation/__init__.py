"""Holds the tests of int8 without training."""

"""Holds the tests of preparing a net for int8 training."""

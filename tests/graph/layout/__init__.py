"""Holds the tests of rearrangements and of how runtimes store tensors."""

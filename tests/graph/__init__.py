"""Holds the tests of the integer graph: its arithmetic, its two references, and the order of float sums."""

"""Holds tests of the examples: each runs as a user would run it, on a little data."""

"""Holds the tests of bundles: what is written, and what is refused."""

"""Holds the tests of files, the cache and processes."""

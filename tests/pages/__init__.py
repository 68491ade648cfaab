"""Holds the tests that follow the pages of docs/ as a reader would, and those of the rules by which outputs match."""

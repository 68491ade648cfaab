"""Holds the tests of the nets, their published counts and, below, their weights."""

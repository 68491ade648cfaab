"""Holds the tests of the nets, their published counts and their weights."""

"""Holds the tests of LiteRT's model file."""

"""Holds the tests of Core AI's model folder."""

"""Holds the tests of the distribution: its extras, its wheel and sdist, and other projects beside it."""

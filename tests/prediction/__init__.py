"""Holds the tests of what a bundle, or a program, says of a picture."""

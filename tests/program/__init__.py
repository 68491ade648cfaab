"""Holds the tests of the program file and of the names of its tensors."""

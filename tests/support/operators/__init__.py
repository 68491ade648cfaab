"""Holds what tests of single operators share: integer models, random cases, and each runtime as one function."""

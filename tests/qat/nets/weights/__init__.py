"""Holds the tests of published weights: their files, their forms and their names."""

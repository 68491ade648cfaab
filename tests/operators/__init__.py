"""Holds one file of tests for each operator of the integer graph."""

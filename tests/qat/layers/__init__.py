"""Holds the tests of the layers that training computes with."""

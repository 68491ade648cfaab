"""Holds the tests of verification and bisection."""

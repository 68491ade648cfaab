"""Holds the tests of the Android app."""

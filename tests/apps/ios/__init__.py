"""Holds the tests of the iOS app."""

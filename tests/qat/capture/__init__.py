"""Holds the tests of capturing a user's net."""

"""Holds the tests of several processes that train one net."""

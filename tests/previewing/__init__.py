"""Holds the tests of what a desktop shows of an app."""

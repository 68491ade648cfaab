"""Holds the tests of what each task learns."""

"""Holds the tests of the way from pictures to a result, and of results that are found again."""

"""Holds the tests of both packages in folders that mirror them, and those of the project as a whole."""

"""Holds the tests of the project as a whole: imports, public names, README, prose, and tests themselves."""

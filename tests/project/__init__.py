"""Holds the tests of the project as a whole: imports, public names, README, benchmarks, and tests themselves."""

"""Holds the tests of the activation memory: its plan, and strips of rows that need less."""

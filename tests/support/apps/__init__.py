"""Holds what builds the demo apps and runs their tests."""

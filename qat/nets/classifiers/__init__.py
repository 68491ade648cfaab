"""Classifiers: one file for each family, its paper's table and a loop."""

"""This room writes the report: one HTML file for people over one JSON file that holds all its data."""

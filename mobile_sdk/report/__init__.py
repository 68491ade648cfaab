"""The report: one HTML file for people over one JSON file that is the truth."""

"""Holds the writers of annotated pictures, in each exporter's layout."""

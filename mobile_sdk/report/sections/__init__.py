"""Sections of the report: verdicts and measurements come in, and the data of one section go out."""

"""This room takes a report's data and returns plots as SVG."""

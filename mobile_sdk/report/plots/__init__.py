"""Plots: a report's data come in, and SVG goes out."""

"""Reads an `.aimodel` folder: its program, and what is counted in it."""

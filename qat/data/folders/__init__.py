"""This room reads a path and returns its pictures sorted by class and by split."""

"""Folders: a path comes in, and pictures sorted by class and by split go out."""

"""This room takes a bundle and its program and returns a verdict."""

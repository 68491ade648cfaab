"""This room reads a folder in any known layout and returns pictures and the class of every pixel."""

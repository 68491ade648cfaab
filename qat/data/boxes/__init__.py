"""This room reads a folder in any known format and returns pictures and their boxes."""

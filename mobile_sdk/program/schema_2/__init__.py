"""This frozen room reads program files of schema 2: an ATen program with a table of names, and returns its graph."""

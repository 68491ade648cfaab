"""This room reads folders and files and returns pictures with labels, boxes or masks."""

"""Data: folders and files come in, and pictures with labels, boxes or masks go out."""

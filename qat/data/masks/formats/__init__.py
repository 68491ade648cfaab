"""Layouts of masks: a folder as one tool writes it comes in, and pairs of pictures and masks go out."""

"""These readers take a folder as one tool writes it, and return pairs of pictures and masks."""

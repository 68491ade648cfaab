"""This room runs Core ML's programs off a Mac: it takes a saved program and pictures, and returns scores."""

"""Core ML off a Mac: a saved program and pictures come in, and scores go out."""

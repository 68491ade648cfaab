"""This room reads a published checkpoint and returns a net with its weights. Nothing in the file is run."""

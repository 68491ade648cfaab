"""Golden pictures and arrays: which they are, how the folder of a bundle holds them, how near an output must come."""

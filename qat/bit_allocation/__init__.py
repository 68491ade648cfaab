"""Bit allocation chooses 4 or 8 bits for the weights of every layer, for a size or for a quality."""

"""This room takes settings and weights, and returns a float net to train or to quantize, its contract and pictures."""

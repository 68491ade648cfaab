"""Layers: float tensors come in, and tensors on the phone's int8 grids go out, with gradients."""

"""Round float tensors to int8 grids in training, with gradients for the values and for the grids."""

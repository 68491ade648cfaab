"""These layers take float tensors and return tensors on the phone's int8 grids, with gradients."""

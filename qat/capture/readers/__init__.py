"""Readers take nodes of PyTorch's graph and return steps."""

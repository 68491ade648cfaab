"""Readers: nodes of PyTorch's graph come in, and steps go out."""

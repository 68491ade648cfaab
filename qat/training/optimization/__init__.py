"""Optimization: gradients come in, and changed weights go out."""

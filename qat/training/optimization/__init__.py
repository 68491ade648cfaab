"""Optimization takes gradients and returns changed weights."""

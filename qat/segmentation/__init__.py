"""Semantic segmentation: pictures with masks, and training on them."""

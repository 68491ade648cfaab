"""Augmentation takes a picture and its truth and returns both as another camera would have seen them."""

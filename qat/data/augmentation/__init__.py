"""Augmentation: a picture and its truth come in, and both go out changed as another camera would have seen them."""

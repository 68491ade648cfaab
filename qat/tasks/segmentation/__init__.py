"""Segmentation takes pictures with masks and returns a trained segmenter."""

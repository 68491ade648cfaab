"""Segmentation: pictures with masks come in, and a trained segmenter goes out."""

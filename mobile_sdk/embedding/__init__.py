"""Embedding: a bundle comes in, and an app's project that holds it goes out."""

"""Verification: a bundle and its program come in, and a verdict goes out."""

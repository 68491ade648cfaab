"""Sweeps public nets for phones: which of them the SDK takes as they are, exactly, and what the others miss."""

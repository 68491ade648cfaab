"""Draws nets of every operator that the SDK reads, and compares what phones would compute with the reference."""

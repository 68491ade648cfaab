"""Draws nets of every operator and spelling that the SDK reads, and compares what phones would compute with the reference."""

"""Holds what tests of the documentation share: pages, their blocks, and a shell's lines."""

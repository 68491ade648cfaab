"""Core ML's operators: one of the graph's comes in, and MIL operations that compute it go out."""

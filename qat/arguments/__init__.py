"""Arguments: what a caller gave comes in, and a refusal by name goes out where it is of another kind."""

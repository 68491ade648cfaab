"""The search space: an architecture comes in, and its neighbours go out, with their weights and their graphs."""

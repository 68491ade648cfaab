"""The search space takes an architecture and returns its neighbours, with their weights and their graphs."""

"""Each file builds one family of classifiers from its paper's table."""

"""Labels: a name or a file comes in, and the list of classes that a net counts by goes out."""

"""These modules take a caller's arguments and refuse those of another type by name."""

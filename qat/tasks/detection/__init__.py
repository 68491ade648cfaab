"""Detection takes pictures with boxes and returns a trained detector."""

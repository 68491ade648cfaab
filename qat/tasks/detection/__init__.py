"""Detection: pictures with boxes come in, and a trained detector goes out."""

"""Pictures with boxes: a folder in any known format comes in, and pictures and their boxes go out."""

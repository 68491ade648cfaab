"""Pictures with masks: a folder in any known layout comes in, and pictures and the class of every pixel go out."""

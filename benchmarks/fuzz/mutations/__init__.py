"""Changes a file: its bytes, the fields of its format, its members, or what stands at its path."""

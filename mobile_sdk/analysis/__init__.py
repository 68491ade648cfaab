"""Analysis: a program and pictures come in, and what each of its layers costs in accuracy goes out."""

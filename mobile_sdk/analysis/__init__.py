"""This room takes a program and pictures, and returns what each of the program's layers costs in accuracy."""

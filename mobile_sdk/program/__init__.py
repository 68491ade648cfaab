"""This room holds a graph and its contract as a program, and writes and reads `program.pt2`."""

"""The program: a graph and its contract come in, and `program.pt2` goes out, or the other way round."""

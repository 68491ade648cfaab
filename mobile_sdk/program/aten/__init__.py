"""This room shows a graph as ATen operators, for PyTorch's tools, and holds a file's own view against its graph."""

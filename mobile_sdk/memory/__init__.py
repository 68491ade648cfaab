"""This room takes a graph and plans the memory of its activations, whole or in strips."""

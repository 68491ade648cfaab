"""LiteRT's operators: an operator of the graph comes in, TensorFlow Lite's operators and tensors go into the file."""

"""This room takes an operator of the graph and writes TensorFlow Lite's operators and tensors into the file."""

"""This room takes an operator of the graph and writes ONNX's nodes and constants into the file."""

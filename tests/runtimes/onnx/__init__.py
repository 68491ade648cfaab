"""Holds the tests of ONNX's model file."""

"""Writes what TensorFlow Lite's and MediaPipe's tools read beside a model: its ends in words, and its labels."""

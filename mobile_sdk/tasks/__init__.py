"""This room takes a net's output and returns what people read, classes, boxes or masks, and their quality."""

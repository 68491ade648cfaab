"""This room takes a name or a file of labels and returns the list of classes in the order of a net's outputs."""

"""Memory: a graph comes in, and the place that its activations need goes out, whole or in strips."""

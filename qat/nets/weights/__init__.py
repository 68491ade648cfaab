"""Published weights: a checkpoint comes in, and a net that holds its weights goes out. Nothing in the file is run."""

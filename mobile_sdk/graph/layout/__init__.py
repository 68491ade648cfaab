"""This room knows in which order runtimes store a tensor's values, and what a change of that order comes to."""

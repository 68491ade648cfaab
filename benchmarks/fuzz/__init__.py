"""Mutates one sample of every kind of file that the SDK reads, and counts what becomes of the inputs."""

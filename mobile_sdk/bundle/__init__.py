"""This room takes a program and writes one folder for each runtime, a bundle, which apps embed unchanged."""

"""This room builds C++ sources into a folder that runs a model on another processor."""

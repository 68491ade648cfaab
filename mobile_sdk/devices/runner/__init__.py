"""The runner: C++ sources come in, and a folder that runs a model on another processor goes out."""

"""This room takes the folder of an `.mlpackage` and returns its operations and constants as plain data."""

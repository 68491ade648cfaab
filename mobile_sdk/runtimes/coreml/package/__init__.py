"""The `.mlpackage`: a folder of files comes in, and operations and constants as plain data go out."""

"""Core ML's operators: an operator of the graph comes in, MIL operations go into the program, int8 or float32."""

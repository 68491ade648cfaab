"""This room takes an operator of the graph and writes its MIL operations into the program, int8 or float32."""

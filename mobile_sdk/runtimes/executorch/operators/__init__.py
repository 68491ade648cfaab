"""This room takes an operator of the graph and writes its nodes and values into XNNPACK's graph."""

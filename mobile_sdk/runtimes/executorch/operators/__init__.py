"""ExecuTorch's operators: an operator of the graph comes in, nodes and values of XNNPACK's graph go out."""

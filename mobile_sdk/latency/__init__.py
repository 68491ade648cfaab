"""This room takes a graph and predicts its latency on a device, from published latencies or measured operators."""

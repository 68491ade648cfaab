"""What a graph costs on a device: predicted from published latencies, or from operators measured there."""

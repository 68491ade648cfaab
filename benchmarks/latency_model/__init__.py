"""Takes published and measured latencies, and holds the predicted ones beside them."""

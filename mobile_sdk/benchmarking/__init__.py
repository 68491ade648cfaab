"""This room takes bundles and a device, and returns measured latencies."""

"""Benchmarking: bundles and a device come in, and measured latencies go out."""

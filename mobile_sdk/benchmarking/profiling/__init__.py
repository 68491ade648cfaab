"""Times every layer of a bundle with its runtime's own profiler."""

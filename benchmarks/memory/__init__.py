"""Takes bundles, and measures the bytes that running them needs."""

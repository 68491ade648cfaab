"""Measurements that README and docs quote: each prints its table and writes `benchmarks/results/<name>.json`."""

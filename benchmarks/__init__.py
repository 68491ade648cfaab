"""Measurements that README and docs quote: each prints its table and writes `benchmarks/results/<name>.json`.

A room a folder: `core` is shared by all, `against` holds the tools that are compared with, results lie in `results/`.
"""

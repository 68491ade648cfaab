"""Holds the measurements that README and docs quote: each prints its table and writes `benchmarks/results/<name>.json`.

Each folder is a room: all share `core`, `against` holds the tools to compare with, and results are in `results/`.
"""

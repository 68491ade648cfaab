"""Holds the tests of the benchmarks: their results, targets and layout, the stock flow and the published counts."""

"""Holds the tests of predicted latencies."""

"""Holds what tests share: processes, graphs, nets, bundles, and stand-ins for machines."""

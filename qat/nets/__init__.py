"""Builds MobileNets by name from tables, lists them, and counts a net's cost."""

from qat.capture.net_copy import reparameterised
from qat.nets.blocks import ImageClassifier
from qat.nets.cost import Cost, count_cost
from qat.nets.listing import NetEntry, list_detectors, list_nets, list_segmenters
from qat.nets.registry import build_net

__all__ = [
    "Cost",
    "ImageClassifier",
    "NetEntry",
    "build_net",
    "count_cost",
    "list_detectors",
    "list_nets",
    "list_segmenters",
    "reparameterised",
]

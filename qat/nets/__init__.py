"""MobileNets as tables: build one by name, list them, count what a net costs."""

from qat.nets.blocks import ImageClassifier
from qat.nets.cost import Cost, count_cost
from qat.nets.registry import NetEntry, build_net, list_nets

__all__ = ["Cost", "ImageClassifier", "NetEntry", "build_net", "count_cost", "list_nets"]

"""This room takes an operator and returns its int8 rule and its float32 rule; one module a family."""

from mobile_sdk.graph.rules import boxes, channels, constants, conv, conversions, elementwise, pooling, resize, tokens
from mobile_sdk.graph.rules.tables import Step, apply, compile_operator, float_rules, int8_rules

__all__ = [
    "Step",
    "apply",
    "boxes",
    "channels",
    "compile_operator",
    "constants",
    "conv",
    "conversions",
    "elementwise",
    "float_rules",
    "int8_rules",
    "pooling",
    "resize",
    "tokens",
]

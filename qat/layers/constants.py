"""Defines the numbers that no picture changes, as a layer of a captured net, and functions of one number."""

from torch import Tensor, nn

from mobile_sdk.graph.operators import Function
from mobile_sdk.graph.rules.elementwise import FUNCTIONS


class Constants(nn.Module):
    """Gives `values` (1, …) to every picture; they are learned if they are a parameter."""

    values: Tensor

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        if isinstance(values, nn.Parameter):
            self.values = values
        else:
            self.register_buffer("values", values)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the values (N, …), as often as there are pictures in `x`."""
        return self.values.expand(len(x), *self.values.shape[1:])


class FunctionOfOne(nn.Module):
    """Computes a function of one number of every element."""

    def __init__(self, function: Function, parameters: tuple[float, ...]) -> None:
        super().__init__()
        self.function, self.parameters_of_function = function, parameters

    def forward(self, x: Tensor) -> Tensor:
        """Returns a tensor of the shape of `x`."""
        return FUNCTIONS[self.function](x, *self.parameters_of_function)

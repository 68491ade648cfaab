"""The bits of a layer's weights: which layers may have four, and what codes fit in them."""

from dataclasses import replace
from typing import Any

import pytest

from mobile_sdk.errors import BundleError, CompileError
from mobile_sdk.graph.checks.limits import check_graph
from mobile_sdk.graph.checks.shape_check import check_shapes
from mobile_sdk.graph.operators import Conv2d, Graph, Linear, can_have_four_bits, four_bits_fit, weight_limit
from mobile_sdk.graph.operators.base import stated_fields
from tests.support.graph_builder import Builder


def graph_of(bits: int = 4, **settings: Any) -> Graph:
    """A 3×3 convolution, a pointwise one of these bits and settings, and a linear layer of these bits."""
    build = Builder(int8=True, seed=5)
    wide = build.conv(build.input, 8, 3, activation="relu6")
    pointwise = build.conv(wide, 6, bits=bits, **settings)
    build.linear(build.reshape(build.mean(pointwise)), bits=bits)
    return build.graph()


def weighted(graph: Graph) -> list[Conv2d | Linear]:
    return [operator for operator in graph.operators if isinstance(operator, Conv2d | Linear)]


def test_four_bits_hold_the_codes_from_minus_7_to_7() -> None:
    assert [weight_limit(bits) for bits in (4, 8)] == [7, 127]
    graph = graph_of()
    check_graph(graph)
    check_shapes(graph)
    assert [operator.weight_bits for operator in weighted(graph)] == [8, 4, 4]
    for code in (8, -8):
        weighted(graph)[1].weight[2, 3] = code
        with pytest.raises(CompileError, match=rf"expected 4-bit weights in \[-7, 8\) at net.conv_1, found {code}"):
            check_graph(graph)
        with pytest.raises(BundleError, match=r"expected 4-bit weights within ±7, found .* in Conv2d at net.conv_1"):
            check_shapes(graph)


def test_pointwise_and_linear_layers_of_evenly_many_inputs_can_have_four_bits() -> None:
    assert [can_have_four_bits(operator) for operator in graph_of().operators] == [False, True, False, False, True]
    assert four_bits_fit(inputs=960) and not four_bits_fit(inputs=961)
    assert not four_bits_fit(inputs=8, kernel=(3, 3)) and not four_bits_fit(inputs=8, groups=2)
    assert not four_bits_fit(inputs=8, stride=(1, 2)) and not four_bits_fit(inputs=8, padding=(0, 0, 1, 0))


@pytest.mark.parametrize(
    "settings",
    [{"stride": 2}, {"groups": 2}, {"padding": (0, 1, 0, 0)}, {"kernel": 3}],
    ids=lambda each: next(iter(each)),
)
def test_other_layers_refuse_four_bits_in_words(settings: dict[str, Any]) -> None:
    with pytest.raises(
        ValueError, match=r"weights of net.conv_1 must have 8 bits: 4 are for .* an int8 Conv2d of \(6, "
    ):
        graph_of(**settings)
    graph_of(bits=8, **settings)


def test_float32_layers_odd_inputs_and_other_bits_are_refused() -> None:
    codes = Builder(int8=True, seed=5)
    with pytest.raises(ValueError, match="evenly many inputs; this is an int8 Conv2d of"):
        codes.conv(codes.input, 8, bits=4)
    with pytest.raises(ValueError, match="a float32 Conv2d of"):
        replace(weighted(graph_of())[1], weight_scales=None)
    for bits in (2, 0, 16):
        with pytest.raises(ValueError, match=r"4 or 8 bits|must be 1"):
            replace(weighted(graph_of())[1], weight_bits=bits)


def test_a_digest_names_the_bits_and_is_the_former_one_at_eight() -> None:
    four = graph_of()
    eight = Graph(
        input=four.input,
        operators=tuple(
            replace(each, weight_bits=8) if isinstance(each, Conv2d | Linear) else each for each in four.operators
        ),
    )
    assert four.digest() != eight.digest()
    assert "weight_bits" not in {field.name for each in eight.operators for field in stated_fields(each)}
    assert "weight_bits" in {field.name for each in four.operators for field in stated_fields(each)}

"""How near a runtime's scores must come to the expected ones: exactly, or within a bound that was measured."""

from dataclasses import dataclass, replace

from mobile_sdk.graph.exactness import order_dependent_paths
from mobile_sdk.graph.operators import Graph
from mobile_sdk.runtimes.coreml.apple import apple_runtime_not_run


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """`exact` asks for equal codes; otherwise the other two hold. `why` says where the bound is from."""

    exact: bool
    min_sqnr_db: float
    min_top1_agreement: float
    golden_steps: float
    why: str


_EXACT = Requirement(
    exact=True, min_sqnr_db=float("inf"), min_top1_agreement=1.0, golden_steps=0.0, why="computes these integers"
)
_APPLE = Requirement(
    exact=False,
    min_sqnr_db=20.0,
    min_top1_agreement=0.9,
    golden_steps=8.0,
    why="was never measured; a package that left ties to float32 came to 22 dB and 92 % on the worst of 5 nets",
)
_OLD_KERNELS = Requirement(
    exact=False,
    min_sqnr_db=23.0,
    min_top1_agreement=0.94,
    golden_steps=16.0,
    # Measured: MobileNetV3-Small on 1,000 digits 31.8 dB, 99.9 %, 14 steps at most; one of half its width,
    # 28.1 dB, 98.8 %; EfficientNet-Lite0 on 48 crops of photographs, 1,000 classes, 26.2 dB, 95.8 %, 8 steps. The bound
    # is 3 dB, twice the noise, below the worst. Nets with random weights fall to 10 dB: they spread every rounding.
    why="rounds twice in each convolution, which spreads; the worst of 3 trained nets came to 26 dB and 96 %",
)
_FLOAT32 = Requirement(
    exact=False,
    min_sqnr_db=60.0,
    min_top1_agreement=0.99,
    golden_steps=0.0,
    why="float32 sums depend on their order, which costs some 120 dB; 60 dB leaves room for fused kernels",
)


_ORDER = Requirement(
    exact=False,
    min_sqnr_db=25.0,
    min_top1_agreement=0.9,
    golden_steps=12.0,
    # Measured on EfficientNet-Lite0, 32 crops of photographs, 1,000 classes: early layers as plain float32 came to
    # 28.3 dB and 6 steps, later ones to 38 dB and more. The bound is 3 dB, twice the noise, below the worst.
    why="is float32 whose sums depend on their order, and the net spreads each tie; the worst of 9 came to 28 dB",
)


def requirement_of(runtime: str, graph: Graph) -> Requirement:
    """What is asked of a runtime for this graph; exactness, but of those named here.

    A program with layers kept in float32 is exact too, where its numbers prove that no order of summation matters.

    Core ML's package is exact in every IEEE 754 float32, and off a Mac its interpreter is held to that. What Apple's
    own runtime does beyond IEEE 754 (folded factors, transforms, other ties) is not known, so its bound is what an
    earlier, real-valued form of the package lost to ties of float32 sums.
    """
    if graph.precision == "float32":
        return _FLOAT32
    if runtime == "coreml" and apple_runtime_not_run() is None:
        return _APPLE
    if runtime == "tflite-runtime":
        return _OLD_KERNELS
    paths = order_dependent_paths(graph)
    return replace(_ORDER, why=f"{', '.join(paths[:3])} {_ORDER.why}") if paths else _EXACT

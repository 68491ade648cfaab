"""Measures what LiteRT computes without XNNPACK, by its own kernels, beside the int8 reference and the float net.

Run: python -m benchmarks.accuracy.without_xnnpack

LiteRT has two sets of kernels of its own: the ones that an app gets without XNNPACK, and plain reference kernels. Both
round twice in each convolution, and so does tflite-runtime 2.14, which hands XNNPACK no int8 operator: its row comes
where `python -m mobile_sdk.runtimes.tflite_legacy` has made its environment. It takes some three minutes of a core.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType  # type: ignore[import-untyped]
from numpy.typing import NDArray

from benchmarks.core.results_file import write_result
from benchmarks.nets.whole_nets import NETS, WholeNet, whole_net
from mobile_sdk.cli.terminal import quiet
from mobile_sdk.comparison import compare
from mobile_sdk.graph.reference import Reference
from mobile_sdk.graph.score_steps import in_steps
from mobile_sdk.runtimes.quiet import silenced_stderr
from mobile_sdk.runtimes.tflite import TfliteRuntime
from mobile_sdk.runtimes.tflite_legacy import TfliteLegacyRuntime
from mobile_sdk.verification.scores.float_distance import float_distance
from qat.progress import say

PICTURES = 16
TITLES = [title for title in NETS if title.startswith("MobileNet")]
KERNELS = {
    "with XNNPACK": OpResolverType.AUTO,
    "without, optimized": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    "without, reference": OpResolverType.BUILTIN_REF,
}
Run = Callable[[Path, WholeNet], NDArray[Any]]


def main() -> None:
    """Runs every net by every set of kernels."""
    quiet()
    rows = [row for title in TITLES for row in measured(title, whole_net(title, pictures=PICTURES))]
    write_result("without_xnnpack", rows, TfliteRuntime().versions())


def measured(title: str, net: WholeNet) -> Iterator[dict[str, Any]]:
    """Yields a row for each set of kernels: distances from the reference, and from the float net."""
    graph = net.program.graph
    reference = Reference(graph).run(net.pictures)
    float_scores = net.float_scores()
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / TfliteRuntime.model_file
        TfliteRuntime().export(graph, net.program.contract, model)
        for name, run in _runs():
            found = run(model, net).reshape(reference.shape)
            apart = compare(found, reference, in_unit=partial(in_steps, graph=graph))
            beside = float_distance(found, reference, float_scores, net.program)
            say(f"{title}, {name}: {apart.differing} of {apart.elements} differ")
            yield {
                "net": title,
                "kernels": name,
                "scores": apart.elements,
                "differ %": round(100 * apart.differing / apart.elements, 1),
                "most steps": int(apart.max_steps),
                "dB from the reference": "equal" if apart.sqnr_db is None else round(apart.sqnr_db, 1),
                "same winner %": round(100 * apart.top1_agreement, 1),
                "dB from float": _decibels(beside.sqnr_db),
                "the reference's own": _decibels(beside.reference_sqnr_db),
            }


def _runs() -> Iterator[tuple[str, Run]]:
    for name, resolver in KERNELS.items():
        yield name, partial(_by_litert, resolver)
    legacy = TfliteLegacyRuntime()
    if reason := legacy.unavailable():
        say(f"not run: {legacy.name}: {reason}")
    else:
        yield "tflite-runtime 2.14", partial(_by_runtime, legacy)


def _by_litert(resolver: Any, model: Path, net: WholeNet) -> NDArray[Any]:
    with silenced_stderr():
        interpreter = Interpreter(model_path=str(model), num_threads=1, experimental_op_resolver_type=resolver)
        interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    found = []
    for picture in net.pictures:
        interpreter.set_tensor(source, picture[np.newaxis])
        interpreter.invoke()
        found.append(interpreter.get_tensor(target)[0])
    return np.stack(found)


def _by_runtime(runtime: TfliteLegacyRuntime, model: Path, net: WholeNet) -> NDArray[Any]:
    with closing(runtime.load(model, runtime.interface(net.program.graph), threads=1)) as session:
        return np.stack([session.run(picture) for picture in net.pictures])


def _decibels(value: float | None) -> float | str:
    return "no noise" if value is None else round(value, 1)


if __name__ == "__main__":
    main()

"""Makes the graph whose latency is predicted: of a program, of a file of weights, or of a net by its name."""

from pathlib import Path

from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.contract.input_text import size_px
from mobile_sdk.errors import SettingError
from mobile_sdk.graph.operators import Graph
from mobile_sdk.program.program import Program
from mobile_sdk.program.wrong_path import check_program_path
from mobile_sdk.workflow.choices import check_choice
from qat.freezing.shapes_only import untrained_graph
from qat.nets import build_net
from qat.nets.saved_net import load_net, read_header

PRECISIONS = ("int8", "float32")


def graph_of(net: str, *, precision: str | None, width: float | None, size: str | None, classes: int | None) -> Graph:
    """Returns the graph; raises SettingError for what a file says already."""
    path = Path(net)
    if path.suffix:  # no net's name has one
        check_program_path(path)
    if not path.is_file():
        chosen = check_choice("a precision", precision or "int8", PRECISIONS)
        labels = tuple(map(str, range(classes or 1000)))
        contract = Contract(name="net", labels=labels, image=ImageSpec(size_px=size_px(size) or 224))
        built = build_net(net, contract, width=1.0 if width is None else width)
        return untrained_graph(built, contract, is_int8=chosen == "int8")
    for option, value in (("--width", width), ("--size", size), ("--classes", classes)):
        if value is not None:
            raise SettingError(
                f"expected no {option} beside {net}, found {value}", hint="leave it out: the file says it"
            )
    return _program(path, precision) if read_header(path) is None else _saved(path, precision)


def _saved(path: Path, precision: str | None) -> Graph:
    chosen = check_choice("a precision", precision or "int8", PRECISIONS)
    built, saved = load_net(path)
    return untrained_graph(built, saved.contract, is_int8=chosen == "int8")


def _program(path: Path, precision: str | None) -> Graph:
    graph = Program.load(path).graph
    if precision is not None and precision != graph.precision:
        raise SettingError(
            f"expected --precision {graph.precision}, which {path.name} is in, found {precision}",
            hint="leave --precision out; the float32 twin is float.pt2",
        )
    return graph

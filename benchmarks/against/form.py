"""Reads other tools' int8 files: their operators, XNNPACK's parts of them, and what they compute in float32."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ai_edge_litert import schema_py_generated as schema  # type: ignore[import-untyped]

from mobile_sdk.runtimes.executorch.pte_file import parse_pte, sealed
from mobile_sdk.runtimes.executorch.structure import DelegateContent, Node, delegate_contents
from mobile_sdk.runtimes.tflite.file_format import read_model
from mobile_sdk.runtimes.tflite.session import open_interpreter

_MOVES = ("DEQUANTIZE", "QUANTIZE", "TRANSPOSE", "RESHAPE", "Convert", "StaticTranspose", "StaticReshape", "Copy")
"""These move or convert numbers; an int8 file has some at its float32 ends."""
_BUILTIN = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}


@dataclass(frozen=True, kw_only=True)
class Form:
    """Counts a file's operators by their kind; `islands` are those in float32, and ExecuTorch's own kernels."""

    partitions: int
    operators: Mapping[str, int]
    islands: Mapping[str, int]


def of_pte(path: Path) -> Form:
    """Returns the form of a `.pte` that ExecuTorch's lowering wrote."""
    file = parse_pte(sealed(path.read_bytes()))
    plan = file.program["execution_plan"][0]
    calls = [step["instr_args"] for chain in plan["chains"] for step in chain["instructions"]]
    kernels = Counter(plan["operators"][call["op_index"]]["name"] for kind, call in calls if kind == "KernelCall")
    nodes = [
        (node.kind.removeprefix("XNN"), node, content) for content in delegate_contents(file) for node in content.nodes
    ]
    return Form(
        partitions=sum(kind == "DelegateCall" for kind, _ in calls),
        operators=Counter(kind for kind, _, _ in nodes) + kernels,
        islands=Counter(kind for kind, *rest in nodes if kind not in _MOVES and _is_float(*rest)) + kernels,
    )


def of_tflite(path: Path) -> Form:
    """Returns the form of any `.tflite`, as LiteRT splits it."""
    model = read_model(path)
    graph = model.subgraphs[0]
    kinds = [(_BUILTIN[model.operatorCodes[each.opcodeIndex].builtinCode], each.outputs[0]) for each in graph.operators]
    floats = {index for index, each in enumerate(graph.tensors) if each.type == schema.TensorType.FLOAT32}
    plan = open_interpreter(path, threads=1)._get_ops_details()  # the only view of it that LiteRT's Python has
    return Form(
        partitions=sum(each["op_name"] == "DELEGATE" for each in plan),
        operators=Counter(kind for kind, _ in kinds),
        islands=Counter(kind for kind, output in kinds if kind not in _MOVES and output in floats),
    )


def _is_float(node: Node, content: DelegateContent) -> bool:
    outputs = [value for name, value in node.fields.items() if name.startswith("output") and name.endswith("_id")]
    return any(content.values[each].datatype == "xnn_datatype_fp32" for each in outputs if each < len(content.values))

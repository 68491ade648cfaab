"""Compares the view in a program file with the one that its graph has; nothing is run, and no torch is needed."""

import math
from collections.abc import Mapping
from typing import Any

from mobile_sdk.document import parse_json
from mobile_sdk.errors import BundleError
from mobile_sdk.graph.operators import Graph
from mobile_sdk.program.archive import Members
from mobile_sdk.program.aten.view import Buffer, Dtype, Node, Value, View

_SCALAR_TYPES: Mapping[str, int] = {"int8": 2, "int32": 4, "int64": 5, "float32": 7}  # torch/_export/serde/schema.py
_ANY_TEXT = ("opset_version", "verifiers", "torch_version", "schema_version")  # PyTorch refuses what it lacks
_TENSOR_SPEC: list[Any] = [None, None, []]
_IN_SPEC = [
    *("builtins.tuple", "null"),
    [["builtins.tuple", "null", [_TENSOR_SPEC]], ["builtins.dict", "[]", []]],
]


def check_view(name: str, members: Members, graph: Graph) -> None:
    """Raises BundleError if the view in the archive `name` is not that of `graph`."""
    try:
        _Check(members, View(graph)).all()
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError) as error:
        raise BundleError(
            f"expected PyTorch's view in {name} to be that of its graph, found another: {error!s:.200}",
            hint="make the program again, and do not open this one with torch.export.load",
        ) from error


class _Check:
    """Walks the view and the file's model together; `names` are those of the file."""

    def __init__(self, members: Members, view: View) -> None:
        self._members, self._view = members, view
        self._model = parse_json(members["models/model.json"])
        self._graph = self._model["graph_module"]["graph"]
        given = [entry["as_tensor"]["name"] for entry in self._graph["inputs"]]
        made = [node["outputs"][0]["as_tensor"]["name"] for node in self._graph["nodes"]]
        values: list[Value] = [*view.buffers, view.input, *view.nodes]
        self.names = dict(zip(values, (*given, *made), strict=True))
        _same("names", len(values), len(set(self.names.values())))

    def all(self) -> None:
        """Raises ValueError where the file differs from the view."""
        for node, found in zip(self._view.nodes, self._graph["nodes"], strict=True):
            self._node(node, found)
        known = {name: self._graph[name] for name in ("nodes", "tensor_values")}
        _same("graph", {**known, **self._rest_of_graph()}, self._graph)
        self._tensors()
        module = {**self._rest_of_module(), "graph": self._graph}
        texts = {name: self._model[name] for name in _ANY_TEXT}
        _same("model", {**texts, "graph_module": module, "range_constraints": {}, "guards_code": []}, self._model)
        self._weights()
        ends = (self._members["byteorder"], parse_json(self._members["data/constants/model_constants_config.json"]))
        _same("constants", (b"little", {"config": {}}), ends)

    def _node(self, node: Node, found: Mapping[str, Any]) -> None:
        name = self.names[node]
        inputs = [(each["arg"], each["kind"]) for each in found["inputs"]]
        _same(name, [(self._argument(each), 1) for each in node.arguments], inputs)  # 1: by position
        rest = {"outputs": [_tensor(name)], "metadata": {}, "is_hop_single_tensor_return": None, "name": name}
        _same(name, {"target": f"torch.ops.{node.target}", "inputs": found["inputs"], **rest}, found)

    def _argument(self, value: Any) -> dict[str, Any]:
        match value:
            case bool():
                return {"as_bool": value}
            case int():
                return {"as_int": value}
            case float():
                return {"as_float": value if math.isfinite(value) else str(value).replace("inf", "Infinity")}
            case None:
                return {"as_none": True}
            case Dtype(name=name):
                return {"as_scalar_type": _SCALAR_TYPES[name]}
            case [int(), *_]:
                return {"as_ints": value}
            case list():
                return {"as_tensors": [{"name": self.names[each]} for each in value]}
        return _tensor(self.names[value])

    def _rest_of_graph(self) -> dict[str, Any]:
        values: list[Value] = [*self._view.buffers, self._view.input]
        given = [_tensor(self.names[value]) for value in values]
        names = ("sym_int_values", "sym_bool_values", "sym_float_values", "custom_obj_values")
        none: dict[str, Any] = {name: {} for name in names}
        return {**none, "inputs": given, "outputs": self._outputs, "is_single_tensor_return": False}

    def _rest_of_module(self) -> dict[str, Any]:
        buffers = [
            {"buffer": {"arg": {"name": self.names[each]}, "buffer_name": each.name, "persistent": True}}
            for each in self._view.buffers
        ]
        given = {"user_input": {"arg": _tensor(self.names[self._view.input])}}
        signature = {
            "input_specs": [*buffers, given],
            "output_specs": [{"user_output": {"arg": each}} for each in self._outputs],
        }
        (call,) = self._model["graph_module"]["module_call_graph"]
        specs = [_spec(parse_json(call["signature"][name])) for name in ("in_spec", "out_spec")]
        given_back = (
            _TENSOR_SPEC if len(self._outputs) == 1 else ["builtins.tuple", "null", [_TENSOR_SPEC] * len(self._outputs)]
        )
        _same("signature", [[1, _IN_SPEC], [1, given_back]], specs)
        rest = {"inputs": [], "outputs": [], "forward_arg_names": [self.names[self._view.input]]}
        called = {"fqn": "", "signature": {**call["signature"], **rest}}
        return {
            "signature": signature,
            "module_call_graph": [called],
            "metadata": {},
            "treespec_namedtuple_fields": {},
        }

    @property
    def _outputs(self) -> list[dict[str, Any]]:
        return [_tensor(self.names[output]) for output in self._view.outputs]

    def _tensors(self) -> None:
        """Compares shapes and dtypes of what the graph names; what lies between follows from them."""
        found = self._graph["tensor_values"]
        _same("tensors", sorted(self.names.values()), sorted(found))
        for value, tensor in self._view.stored.items():
            dtype = "float32" if tensor.quantization is None and value is not self._view.input else "int8"
            meta = found[self.names[value]]
            layout = {name: meta[name] for name in ("strides", "storage_offset")}  # a slice's are those of its source
            _same(self.names[value], {**_meta((1, *tensor.shape), dtype), **layout}, meta)
        for buffer in self._view.buffers:
            _same(buffer.name, _meta_of(buffer), found[self.names[buffer]])

    def _weights(self) -> None:
        found = parse_json(self._members["data/weights/model_weights_config.json"])["config"]
        _same("weights", sorted(each.name for each in self._view.buffers), sorted(found))
        for buffer in self._view.buffers:
            payload = found[buffer.name]
            wanted = {"is_param": False, "use_pickle": False, "tensor_meta": _meta_of(buffer)}
            _same(buffer.name, {"path_name": payload["path_name"], **wanted}, payload)
            little = buffer.array.astype(buffer.array.dtype.newbyteorder("<"), copy=False)
            _same(buffer.name, little.tobytes(), self._members[f"data/weights/{payload['path_name']}"])


def _same(where: str, wanted: object, found: object) -> None:
    if wanted != found:
        raise ValueError(f"{where} differs")


def _tensor(name: str) -> dict[str, Any]:
    return {"as_tensor": {"name": name}}


def _meta_of(buffer: Buffer) -> dict[str, Any]:
    return _meta(buffer.array.shape, buffer.array.dtype.name)


def _meta(shape: tuple[int, ...], dtype: str) -> dict[str, Any]:
    strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    return {
        "dtype": _SCALAR_TYPES[dtype],
        "sizes": [{"as_int": size} for size in shape],
        "requires_grad": False,
        "device": {"type": "cpu", "index": None},
        "strides": [{"as_int": stride} for stride in strides],
        "storage_offset": {"as_int": 0},
        "layout": 7,
    }


def _spec(spec: Any) -> list[Any]:
    """Returns a tree of containers, as PyTorch writes it, in lists alone."""
    if isinstance(spec, list):
        return [spec[0], _spec(spec[1])]
    return [spec["type"], spec["context"], [_spec(each) for each in spec["children_spec"]]]

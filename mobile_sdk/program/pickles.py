"""Refuses what `torch.export.load` would run: members that this SDK does not write, and pickles.

One member is a pickle in every file, as PyTorch writes it: the example of an input. It may rebuild one tensor, and
name nothing else. It is looked at opcode by opcode, and never unpickled.
"""

import pickletools
import re
import zipfile

from mobile_sdk.document import parse_json
from mobile_sdk.errors import BundleError
from mobile_sdk.program.archive import Members
from mobile_sdk.system.stored_zip import read_exact

_EXAMPLE = "data/sample_inputs/model.pt"
_WEIGHTS, _CONSTANTS = "data/weights/model_weights_config.json", "data/constants/model_constants_config.json"
_KNOWN = re.compile(
    r"extra/(graph|names|contract|record|seal)\.json|arrays/\d+|data/weights/weight_\d+|models/model\.json"
    rf"|{re.escape(_EXAMPLE)}|{re.escape(_WEIGHTS)}|{re.escape(_CONSTANTS)}"
    r"|archive_(format|version)|byteorder|\.data/(version|serialization_id)"
)
_HINT = "take no programs from strangers; make it again with `mobile-sdk quantize`"

# The members of a file of torch.save, and the pickle of one tensor in it
_EXAMPLE_MEMBERS = re.compile(
    r"archive/(data\.pkl|data/0|version|byteorder|\.format_version|\.storage_alignment|\.data/serialization_id)"
)
_GLOBALS = frozenset(("torch._utils _rebuild_tensor_v2", "torch CharStorage", "collections OrderedDict"))
_OPCODES = re.compile(
    "PROTO|GLOBAL|MARK|TUPLE[12]?|EMPTY_(TUPLE|DICT)|REDUCE|BIN(PERSID|PUT|UNICODE|INT[12]?)|NEWFALSE|STOP"
)


def check_runs_nothing(name: str, members: Members) -> None:
    """Raises BundleError if the archive `name` has a member that this SDK does not write, or a pickle.

    Raises KeyError, TypeError or ValueError if its tables of members are none.
    """
    for member in members:
        if not _KNOWN.fullmatch(member):
            raise BundleError(f"expected members that this SDK writes in {name}, found {member!r:.80}", hint=_HINT)
    if _EXAMPLE in members and not _is_tensor(members[_EXAMPLE]):
        raise BundleError(f"expected a tensor as {_EXAMPLE} in {name}, found a pickle that could run code", hint=_HINT)
    weights = parse_json(members.get(_WEIGHTS, b'{"config": {}}'))["config"]
    constants = parse_json(members.get(_CONSTANTS, b'{"config": {}}'))["config"]
    if constants or any(payload["use_pickle"] for payload in weights.values()):
        raise BundleError(f"expected raw bytes in {name}, found a pickle, which could run code", hint=_HINT)


def _is_tensor(data: bytes) -> bool:
    try:
        members = read_exact(data)
        if not all(map(_EXAMPLE_MEMBERS.fullmatch, members)):
            return False
        opcodes = list(pickletools.genops(members["archive/data.pkl"]))
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, KeyError):
        return False
    globals_found = {argument for opcode, argument, _ in opcodes if opcode.name == "GLOBAL"}
    are_known = all(_OPCODES.fullmatch(opcode.name) for opcode, _, _ in opcodes)
    return are_known and _GLOBALS.issuperset(globals_found)

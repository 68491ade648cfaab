"""Names what is at a path where a program or a bundle was expected, with the next command."""

import mimetypes
from pathlib import Path

from mobile_sdk.errors import DataError
from mobile_sdk.system.regular_file import other_kind

_MANIFEST = "bundle.json"
_RUNS_BUNDLES = "bundles"  # in the folder of a run
_CHECKPOINTS = frozenset((".pth", ".pt", ".ckpt", ".bin", ".tar"))


def check_program_path(path: Path) -> None:
    """Raises DataError if there is no file at `path`."""
    if path.is_dir():
        is_bundle = (path / _MANIFEST).is_file()
        found = "a bundle" if is_bundle else "a folder"
        hint = "name the program.pt2 that the bundle came from" if is_bundle else "name the file: program.pt2"
        raise DataError(f"expected a program at {path}, found {found}", hint=hint)
    if not path.is_file():
        raise DataError(f"expected a program at {path}, found {other_kind(path) or 'nothing'}", hint="check the path")


def mistaken_program(path: Path) -> DataError | None:
    """Returns the error for a file that is not a program but something else; None if its kind is unknown."""
    kind, hint = _kind_of(path)
    return None if kind is None else DataError(f"expected a program at {path}, found {kind}", hint=hint)


def bundle_hint(path: Path) -> str:
    """Returns the path to name instead of `path`, where there is no bundle."""
    if not path.exists():
        return "check the path: name a bundle's folder"
    if not path.is_dir():
        inside = next((parent for parent in path.parents[:3] if (parent / _MANIFEST).is_file()), None)
        if inside is not None:
            return f"name the bundle's folder: {inside}"
        if _is_picture(path):
            return f"what a picture shows is said by: {_classify(path)}"
        return f"export it first: mobile-sdk export {path}" if path.suffix == ".pt2" else "name a bundle's folder"
    manifests = (*path.glob(f"*/{_MANIFEST}"), *path.glob(f"{_RUNS_BUNDLES}/*/{_MANIFEST}"))
    bundles = sorted(manifest.parent for manifest in manifests)
    return f"name one of the bundles in it: {', '.join(map(str, bundles[:3]))}" if bundles else "name a bundle's folder"


def _is_picture(path: Path) -> bool:
    return (mimetypes.guess_type(path)[0] or "").startswith("image/")


def _classify(path: Path) -> str:
    return f"mobile-sdk classify BUNDLE {path}"


def _kind_of(path: Path) -> tuple[str | None, str]:
    with path.open("rb") as file:
        head = file.read(9)
    if path.suffix == ".safetensors" or head[8:] == b"{":
        return "a float net", f"quantize it first: mobile-sdk quantize --weights {path} --data DIR"
    if _is_picture(path):
        return "a picture", f"name a program.pt2; what the picture shows is said by: {_classify(path)}"
    if path.suffix in _CHECKPOINTS:
        return (
            "a checkpoint of PyTorch",
            f"quantize it first: mobile-sdk quantize --weights {path} --net NAME --data DIR",
        )
    return None, ""

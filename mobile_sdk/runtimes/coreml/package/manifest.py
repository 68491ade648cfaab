"""Reads and writes an `.mlpackage`'s Manifest.json, which names the model's file and the folder of its weights."""

import json
import uuid
from pathlib import Path
from typing import Any

from mobile_sdk.document import parse_json
from mobile_sdk.runtimes.coreml.package.blob_file import damaged

MODEL_PATH = "com.apple.CoreML/model.mlmodel"
WEIGHTS_PATH = "com.apple.CoreML/weights"
_AUTHOR = "com.apple.CoreML"


def manifest_text(digest: str) -> str:
    """Returns Manifest.json for a model with weights.

    `digest` decides the identifiers, so one graph gives one package.
    """
    model_id, weights_id = (
        str(uuid.uuid5(uuid.NAMESPACE_OID, f"{digest}/{role}")).upper() for role in ("model", "weights")
    )
    entries = {
        model_id: _entry("CoreML Model Specification", MODEL_PATH),
        weights_id: _entry("CoreML Model Weights", WEIGHTS_PATH),
    }
    manifest = {"fileFormatVersion": "1.0.0", "itemInfoEntries": entries, "rootModelIdentifier": model_id}
    return json.dumps(manifest, indent=4) + "\n"


def root_model_file(package: Path) -> Path:
    """Returns the protobuf file that Manifest.json calls the root model; raises BundleError if it is not inside."""
    file = package / "Manifest.json"
    if not file.is_file():
        raise damaged(package, "no Manifest.json")
    try:
        manifest: Any = parse_json(file.read_bytes())
        path = str(manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"])
        model_file = package / "Data" / path
    except (ValueError, KeyError, TypeError):
        raise damaged(file, "no root model in it") from None
    if ".." in Path(path).parts or Path(path).is_absolute():
        raise damaged(file, f"a path {path!r} that leaves the package")
    if not model_file.is_file():
        raise damaged(package, f"no {path}")
    return model_file


def _entry(description: str, path: str) -> dict[str, str]:
    return {"author": _AUTHOR, "description": description, "name": path.rpartition("/")[2], "path": path}

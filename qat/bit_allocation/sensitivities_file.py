"""Keeps what was measured of a net's layers in one file, so that an interrupted choice of bits goes on."""

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from mobile_sdk.document import Document
from mobile_sdk.system.atomic_files import write_text
from qat.data.content_hash import Fingerprint
from qat.distributed.torchrun import is_main_process
from qat.progress import say

SENSITIVITIES_FILE = "sensitivities.json"


class Sensitivities(Document):
    """Holds measurements of one net on one set of pictures, which `fingerprint` identifies.

    `int8_db` is the SQNR with 8 bits everywhere, `noise_shares` what the weights of each layer add at 4, by name, and
    `int8_shares` at 8; `activations_share` is what all activations add. `measured_db` is the SQNR of calibrated nets,
    by the number of layers at 4 bits in the frontier's order; the number of layers in float32 is below 0. `accuracies`
    are those of the same nets, by the hash of the pictures.
    """

    schema_number: Literal[1] = 1
    fingerprint: Fingerprint
    int8_db: float | None = None
    noise_shares: dict[str, float] = Field(default_factory=dict)
    int8_shares: dict[str, float] = Field(default_factory=dict)
    activations_share: float | None = None
    measured_db: dict[int, float] = Field(default_factory=dict)
    accuracies: dict[str, dict[int, float]] = Field(default_factory=dict)


class SensitivitiesFile:
    """Reads and writes `sensitivities.json` in `folder`, whole or not at all; without a folder nothing is kept."""

    def __init__(self, folder: Path | None, fingerprint: Fingerprint) -> None:
        self._path = None if folder is None else folder / SENSITIVITIES_FILE
        self.content = self._read(fingerprint) or Sensitivities(fingerprint=fingerprint)

    def keep(self, content: Sensitivities) -> None:
        """Takes what is known now and writes the file; of several processes only the main one writes."""
        self.content = content
        if self._path is not None and is_main_process():
            write_text(self._path, self.content.model_dump_json(indent=1) + "\n")

    def _read(self, fingerprint: Fingerprint) -> Sensitivities | None:
        if self._path is None or not self._path.is_file():
            return None
        try:
            found = Sensitivities.model_validate_json(self._path.read_bytes())
        except (OSError, ValidationError):
            say(f"{self._path} cannot be read: layers are measured anew")
            return None
        others = [name for name, value in fingerprint.items() if found.fingerprint.get(name) != value]
        if others:
            say(f"{self._path} is of another {', '.join(others)}: layers are measured anew")
            return None
        say(f"{len(found.noise_shares)} layers were measured before: {self._path}")
        return found

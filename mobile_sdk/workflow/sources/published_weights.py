"""Gets published weights where `--weights` names their publisher, torchvision or timm; nothing is fetched unasked."""

from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch

from mobile_sdk.errors import MachineError, SettingError
from mobile_sdk.workflow.choices import DEFAULT_NET
from qat.nets.weights.download import check_hash, hash_in_name, published_file

TORCHVISION, TIMM = "torchvision", "timm"
_SHA256_LETTERS = 64

_MODELS = "https://download.pytorch.org/models"
OWN_NETS = {
    "mobilenet_v2": f"{_MODELS}/mobilenet_v2-b0353104.pth",
    "mobilenet_v3_large": f"{_MODELS}/mobilenet_v3_large-8738ca79.pth",
    "mobilenet_v3_small": f"{_MODELS}/mobilenet_v3_small-047dcff4.pth",
}
"""Holds what torchvision publishes of nets of this SDK, at width 1: IMAGENET1K_V1 of each, trained for the central 7/8.

Source: torchvision `models/mobilenetv2.py` and `models/mobilenetv3.py`. A file's name has the beginning of its SHA-256.
"""


def publisher_of(weights: Path | None) -> str | None:
    """Returns who published the weights, if `weights` is such a word; a file of that name comes first."""
    return str(weights) if str(weights) in (TORCHVISION, TIMM) and not Path(str(weights)).is_file() else None


def weights_file(weights: Path, net: str | None, width: float | None) -> Path:
    """Returns the file of weights for a net of this SDK; a publisher's word fetches it, a path stays.

    Raises SettingError for a net whose weights torchvision does not publish.
    """
    publisher = publisher_of(weights)
    if publisher is None:
        return weights
    name = net or DEFAULT_NET
    url = OWN_NETS.get(name) if publisher == TORCHVISION and width in (None, 1.0) else None
    if url is None:
        found = name if width in (None, 1.0) else f"{name} of width {width:g}"
        raise SettingError(
            f"expected {', '.join(OWN_NETS)} of width 1 beside --weights {TORCHVISION}, "
            f"found {found} beside {publisher}",
            hint=f"name the package's own net, --net {publisher}:NAME of quantize; or give --weights FILE",
        )
    return _of_url(url)


def from_torchvision(url: str) -> Path:
    """Returns the file of one of torchvision's own nets, from the address that the package names."""
    return _of_url(url)


def from_timm(config: dict[str, Any], file: str) -> Path:
    """Returns the file of one of timm's nets: from Hugging Face's hub, where timm looks for it too, else its address.

    The hub names a file of weights by its SHA-256, which is checked.
    """
    if not config.get("hf_hub_id"):
        return _of_url(config.get("url") or "")
    from huggingface_hub import hf_hub_download, hf_hub_url

    repository = config["hf_hub_id"]
    try:
        found = Path(hf_hub_download(repository, file))
    except Exception as error:  # the library passes on whatever its network stack raises
        url, reason = hf_hub_url(repository, file), (str(error).splitlines() or [type(error).__name__])[0]
        raise MachineError(
            f"expected to fetch {url}, found: {reason}", hint="fetch the file by hand, and give it: --weights FILE"
        ) from error
    stored = found.resolve()
    if len(stored.name) == _SHA256_LETTERS:
        check_hash(stored, stored.name, hint=f"remove it: {stored}")
    return found


def of_torch_hub(url: str) -> Path:
    """Returns where torch.hub, and so torchvision, keeps the file of an address."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name


def _of_url(url: str) -> Path:
    sha256 = hash_in_name(url)
    if sha256 is None:
        raise SettingError(
            f"expected a file with a hash in its name to fetch, found {url or 'no address'}",
            hint="fetch the file by hand, and give it: --weights FILE",
        )
    cached = of_torch_hub(url)
    if cached.is_file():
        check_hash(cached, sha256, hint=f"remove it: {cached}")
        return cached
    return published_file(url, sha256)

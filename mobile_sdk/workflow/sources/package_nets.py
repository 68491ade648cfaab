"""Builds nets of timm and torchvision by name, `timm:mobilenetv4_conv_small`, with their preprocessing and labels.

Weights come from a file, or from where the package keeps what it has fetched before. The package's name in place of a
file fetches them.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mobile_sdk.contract import ImageSpec
from mobile_sdk.errors import MachineError, SettingError
from mobile_sdk.labels.lists import default_labels
from mobile_sdk.packages import needed
from mobile_sdk.workflow.sources.published_weights import from_timm, from_torchvision, of_torch_hub, publisher_of
from mobile_sdk.workflow.sources.weights import check_weights
from qat.nets.weights.published import load_weights
from qat.progress import say

_CACHED = ("model.safetensors", "pytorch_model.bin")  # the names of weights on Hugging Face's hub


@dataclass(frozen=True, kw_only=True)
class _Recipe:
    """Describes a net of a package: how it is built for a number of classes, its pictures, its known weights.

    `fetch` gets the weights that the package itself would take.
    """

    build: Callable[..., nn.Module]
    image: ImageSpec
    interpolation: str
    cached: tuple[Path, ...]
    fetch: Callable[[], Path]


def is_package_net(name: str | None) -> bool:
    """Tells whether this is the name of a package's net."""
    return name is not None and name.partition(":")[0] in _RECIPES and ":" in name


def package_net(reference: str, weights: Path | None) -> nn.Module:
    """Returns the net in eval(), with its weights and the attributes `image` and `labels`.

    `weights` is a file, or the package's name. Raises MachineError without the package or the network, SettingError
    for an unknown name, without weights or with those of another package, DataError for weights that are not its own.
    """
    package, _, name = reference.partition(":")
    publisher = publisher_of(weights)
    if publisher not in (None, package):
        raise SettingError(
            f"expected --weights {package} or a file beside {reference}, found {publisher}", hint="name one package"
        )
    recipe = _RECIPES[package](_imported(package), name, weights)
    path = next((path for path in recipe.cached if path.is_file()), None) if weights is None or publisher else weights
    if path is None and publisher:
        path = recipe.fetch()
    if path is None:
        raise SettingError(
            f"expected weights for {reference}, found none: neither --weights nor in {package}'s own cache",
            hint=f"give --weights FILE, or --weights {package} to fetch them",
        )
    check_weights(path)
    net = _with_weights(recipe.build, path)
    if recipe.interpolation != "bilinear":
        say(f"pictures: {reference} was trained with {recipe.interpolation} resizing; the phone's is bilinear")
    net.image, net.labels = recipe.image, default_labels(_classes(net))  # type: ignore[assignment]
    return net.eval()


def _with_weights(build: Callable[..., nn.Module], path: Path) -> nn.Module:
    """Returns the net with the file's weights, for as many classes as the file has."""
    net = build()
    report = load_weights(net, path)
    if report.replaced_head:
        net = build(num_classes=report.classes_in_file)
        report = load_weights(net, path)
    say(str(report))
    return net


def _classes(net: nn.Module) -> int:
    heads = [part for part in net.modules() if isinstance(part, nn.Linear | nn.Conv2d)]
    return len(heads[-1].weight)


def _imported(package: str) -> Any:
    try:
        return needed(package, f"nets of {package}", extra="timm")
    except RuntimeError as error:  # torchvision built for another torch
        raise MachineError(
            f"expected a torchvision for torch {torch.__version__}, found {error}",
            hint="install both from one index: pip install torch torchvision",
        ) from error


def _of_timm(timm: Any, name: str, _weights: Path | None) -> _Recipe:
    base = name.partition(".")[0]
    if not timm.is_model(base):
        raise _unknown("timm", name, timm.list_models())
    config = timm.create_model(name, pretrained=False).pretrained_cfg
    _, height, width = config["input_size"]
    image = ImageSpec(
        size_px=height if height == width else (height, width),
        fit="stretch" if config.get("crop_mode") == "squash" else "crop",
        crop_share=1.0 if config.get("crop_mode") == "squash" else config["crop_pct"],
        mean_byte=_of_byte(config["mean"]),
        std_byte=_of_byte(config["std"]),
    )
    cached = [of_torch_hub(config["url"])] if config.get("url") else []
    if config.get("hf_hub_id"):
        from huggingface_hub import try_to_load_from_cache  # type: ignore[import-not-found, unused-ignore]

        found = [try_to_load_from_cache(config["hf_hub_id"], file) for file in _CACHED]
        cached += [Path(path) for path in found if isinstance(path, str | os.PathLike)]
    return _Recipe(
        build=lambda **classes: timm.create_model(name, pretrained=False, **classes),
        image=image,
        interpolation=config["interpolation"],
        cached=tuple(cached),
        fetch=lambda: from_timm(config, _CACHED[0]),
    )


def _of_torchvision(torchvision: Any, name: str, weights: Path | None) -> _Recipe:
    models = torchvision.models
    if name not in models.list_models(module=models):
        raise _unknown("torchvision", name, models.list_models(module=models))
    entries = list(models.get_model_weights(name))
    cached = {entry: of_torch_hub(entry.url) for entry in entries}
    named = weights.name if weights else None
    chosen = next((entry for entry in entries if cached[entry].name == named), models.get_model_weights(name).DEFAULT)
    preset = chosen.transforms()
    (crop,), (resize,) = preset.crop_size, preset.resize_size
    return _Recipe(
        build=lambda **classes: models.get_model(name, weights=None, **classes),
        image=ImageSpec(
            size_px=crop,
            crop_share=min(1.0, crop / resize),
            mean_byte=_of_byte(preset.mean),
            std_byte=_of_byte(preset.std),
        ),
        interpolation=str(preset.interpolation.value),
        cached=(cached[chosen],),
        fetch=lambda: from_torchvision(chosen.url),
    )


def _unknown(package: str, name: str, known: list[str]) -> SettingError:
    near = get_close_matches(name, known, n=3)
    hint = f"did you mean {' or '.join(f'{package}:{each}' for each in near)}?" if near else f"see {package}'s list"
    return SettingError(f"expected the name of a net of {package}, found {name!r}", hint=hint)


def _of_byte(shares: Any) -> tuple[float, ...]:
    return tuple(round(255 * float(share), 3) for share in shares)


_RECIPES: dict[str, Callable[[Any, str, Path | None], _Recipe]] = {"timm": _of_timm, "torchvision": _of_torchvision}

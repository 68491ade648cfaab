"""Runs a bundle's model on one picture or array, as an app with the bundle does."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from mobile_sdk.arguments import expect
from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.contract import ImageSpec
from mobile_sdk.devices.model_process import MODELS
from mobile_sdk.errors import MachineError
from mobile_sdk.preprocess import Sample, picture_bytes, to_bytes, upright_rgb
from mobile_sdk.previewing.answer import Answer, answer_of, check_finite
from mobile_sdk.previewing.drawing import draw

_SHOWN_SIDE_PX = 1024  # a whole picture is shown no larger, as in the apps


@dataclass(frozen=True, kw_only=True, eq=False)
class Preview:
    """Holds a picture's answer, and the part of the picture that an app shows; None of an array."""

    answer: Answer
    picture: Image.Image | None

    def drawn(self) -> Image.Image:
        """Returns the picture with the answer over it and in words below it."""
        return draw(self.picture, self.answer)


def preview(bundle: Bundle, sample: Sample) -> Preview:
    """Returns what an app that holds the bundle shows of a picture or an array.

    The answer comes from the bundle's own runtime. Raises SettingError for a sample that the net does not read,
    MachineError if the runtime does not run here, and BundleError for an output that is not finite.
    """
    expect("bundle", bundle, Bundle)
    spec, runtime = bundle.manifest.input, bundle.runtime
    given = to_bytes(sample, spec)
    if reason := runtime.unavailable():
        raise MachineError(f"expected to run {runtime.name}, but {reason}", hint="see `mobile-sdk doctor`")
    with MODELS.loaded(runtime, bundle.model_path, bundle.interface, threads=1) as session:
        output = session.run_each(given[np.newaxis])[0]
    check_finite(output, bundle.manifest)
    picture = shown(sample, spec) if isinstance(sample, Image.Image) and isinstance(spec, ImageSpec) else None
    return Preview(answer=answer_of(output, bundle.manifest), picture=picture)


def shown(picture: Image.Image, spec: ImageSpec) -> Image.Image:
    """Returns the picture that a screen shows beside the answer, in RGB: all that the net reads of it.

    A whole picture keeps its own proportions; its longer side is 1,024 px at most.
    """
    if spec.fit == "crop":
        return upright_rgb(Image.fromarray(picture_bytes(picture, spec).squeeze()))
    whole = upright_rgb(picture)
    whole.thumbnail((_SHOWN_SIDE_PX, _SHOWN_SIDE_PX), Image.Resampling.BILINEAR)
    return whole

"""Imports what is used of torchao's quantization of exported nets, without torchao's warnings at import.

On import it warns of compiled parts for other machines and of its own deprecated calls, which do not concern the user's
net. Its later messages are not suppressed.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _quietly() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("torchao", "torch.utils._pytree")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


with _quietly():
    from torchao.quantization.pt2e.fake_quantize import FakeQuantizeBase  # type: ignore[import-untyped]
    from torchao.quantization.pt2e.quantize_pt2e import prepare_qat_pt2e  # type: ignore[import-untyped]
    from torchao.quantization.pt2e.quantizer import (  # type: ignore[import-untyped]
        QuantizationAnnotation,
        QuantizationSpec,
        QuantizationSpecBase,
        Quantizer,
        SharedQuantizationSpec,
    )

__all__ = [
    "FakeQuantizeBase",
    "QuantizationAnnotation",
    "QuantizationSpec",
    "QuantizationSpecBase",
    "Quantizer",
    "SharedQuantizationSpec",
    "prepare_qat_pt2e",
]

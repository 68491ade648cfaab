"""Where LiteRT runs without XNNPACK, its own kernels round otherwise, and `verify` says so in words."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from mobile_sdk.bundle.bundle import Bundle
from mobile_sdk.devices.model_process import MODELS
from mobile_sdk.runtimes.base import Runtime, Structure
from mobile_sdk.verification.file_checks import WITHOUT_DELEGATE
from mobile_sdk.verification.verification import verify
from tests.support import bundles


def test_litert_without_xnnpack_fails_and_is_named(pristine: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    def structure(runtime: Runtime, model: Path) -> Structure:
        return runtime.structure(model)

    plain: Any = partial(Interpreter, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    monkeypatch.setattr("mobile_sdk.runtimes.tflite.session.Interpreter", plain)
    monkeypatch.setattr(MODELS, "structure", structure)
    verdict = verify(pristine, bundles.program(), progress=False)
    partitions = next(check for check in verdict.checks if check.name == "partitions")
    assert (partitions.outcome, partitions.measured, partitions.reason) == ("fail", 0, WITHOUT_DELEGATE)
    assert verdict.status == "fail"

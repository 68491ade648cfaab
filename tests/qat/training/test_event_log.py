"""Every epoch is written as TensorBoard reads it, if that is asked for."""

import sys
from pathlib import Path

import pytest

from mobile_sdk.errors import MachineError
from mobile_sdk.workflow.run_folder import logged
from qat.event_log import log_to_tensorboard
from qat.preparation.preparation import prepare
from qat.tasks.classification.training import fit
from qat.training.history import History
from qat.training.plan import TrainPlan
from tests.support.training.small_task import CONTRACT, pictures, tiny_net


def scalars(folder: Path, name: str) -> list[tuple[int, float]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def losses(history: History) -> list[tuple[int, float]]:
    return [(epoch.epoch, pytest.approx(epoch.loss)) for epoch in history.epochs]


def test_both_trainings_are_logged_epoch_by_epoch(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="needs the extra tensorboard")
    with log_to_tensorboard(tmp_path):
        net = tiny_net()
        in_float = fit(net, pictures(), TrainPlan(epochs=2, batch=16), contract=CONTRACT, progress=False)
        prepared = prepare(net, CONTRACT)
        in_int8 = fit(prepared, pictures(), TrainPlan.finetune(1), progress=False)
    fit(tiny_net(), pictures(), TrainPlan(epochs=2, batch=16), contract=CONTRACT, progress=False)
    assert scalars(tmp_path / "float", "loss") == losses(in_float) and len(in_float.epochs) > 1
    assert scalars(tmp_path / "int8", "loss") == losses(in_int8)
    shares = [epoch.validation_accuracy_share for epoch in in_float.epochs]
    assert scalars(tmp_path / "float", "validation_accuracy_share") == [
        (number, pytest.approx(share)) for number, share in enumerate(shares, start=1)
    ]
    assert [step for step, _ in scalars(tmp_path / "float", "learning_rate")] == list(range(1, len(shares) + 1))


def test_a_training_that_begins_anew_replaces_its_curves(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="needs the extra tensorboard")
    for seed in (0, 1):
        with log_to_tensorboard(tmp_path):
            history = fit(tiny_net(seed), pictures(), TrainPlan(epochs=2, batch=16), contract=CONTRACT, progress=False)
    assert scalars(tmp_path / "float", "loss") == losses(history)


def test_the_missing_package_is_named_with_its_extra_before_anything_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(MachineError, match=r"expected the package tensorboard .*\.\[tensorboard\]"):
        log_to_tensorboard(tmp_path)
    with logged(tmp_path, tensorboard=False):
        pass
    assert not list(tmp_path.iterdir())

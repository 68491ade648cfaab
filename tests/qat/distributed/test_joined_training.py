"""Several processes that `torchrun` starts train one net: it is the same net everywhere, and the one of one process."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mobile_sdk.cli import app, processes
from mobile_sdk.errors import MachineError, SettingError
from mobile_sdk.workflow.main_process import OtherProcess, end_others
from mobile_sdk.workflow.output_paths import folder_to_write
from qat.data.shards.shards import write_shards
from qat.distributed.processes import Processes, _Joined, current_processes
from qat.distributed.torchrun import is_main_process
from qat.progress import say
from qat.tasks.classification.training import fit
from qat.training.checkpoint_file import CHECKPOINT_FILE
from tests.support.training import joined_task
from tests.support.training.joined_task import STEPS, gradients, torchrun
from tests.support.training.small_task import CONTRACT, PLAN, pictures, tiny_net
from tests.support.training.uneven_steps import steps

Kept = dict[str, Any]
Joined = tuple[Path, list[Kept], str]


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> Joined:
    """A folder that two processes have trained in, what each has kept, and what they said."""
    out = tmp_path_factory.mktemp("joined")
    done = torchrun(joined_task.__file__, "every way", str(out))
    assert done.returncode == 0, done.stderr
    return out, [torch.load(out / f"process{rank}.pt", weights_only=True) for rank in (0, 1)], done.stderr


@pytest.mark.parametrize("which", ["float", "large", "fine", "taught"])
def test_weights_statistics_and_ranges_are_equal_in_all_processes(joined: Joined, which: str) -> None:
    first, second = (each["nets"][which] for each in joined[1])
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(name.endswith("running_var") for name in first)
    assert which in ("float", "large") or any(name.endswith("high") for name in first)


def test_all_processes_know_the_same_history(joined: Joined) -> None:
    assert joined[1][0]["histories"] == joined[1][1]["histories"]


def test_two_processes_learn_what_one_learns(joined: Joined) -> None:
    torch.set_num_threads(1)
    alone = fit(tiny_net(seed=0), pictures(), PLAN, contract=CONTRACT, progress=False).epochs[-1]
    last = joined[1][0]["histories"][0][-1]
    assert alone.validation_accuracy_share is not None
    assert abs(alone.validation_accuracy_share - last["validation_accuracy_share"]) <= 0.1
    assert abs(alone.loss - last["loss"]) <= 0.1 * alone.loss


def test_the_gradient_of_two_processes_is_that_of_the_whole_batch(joined: Joined) -> None:
    torch.set_num_threads(1)
    for which, alone in gradients().items():
        together = joined[1][0]["gradients"][which]
        assert together.keys() == alone.keys() and len(alone) >= 6
        largest = max(float(value.abs().max()) for value in alone.values())
        for name, value in alone.items():
            if not name.endswith(("low", "high")):  # ends of ranges: estimated on some of a process's own values
                assert (together[name] - value).abs().max() <= 2e-6 * largest, f"{which}: {name}"
    assert any(name.endswith("scales") for name in joined[1][0]["gradients"]["fake-quantized"])


def test_a_part_weighs_by_what_is_asked_of_it_and_one_of_which_nothing_is_asked_counts_nothing(joined: Joined) -> None:
    torch.set_num_threads(1)
    for name, moved, history in steps():
        (first, said), (second, _) = (kept["uneven"][name] for kept in joined[1])
        assert torch.equal(first, second) and first.isfinite().all(), name
        assert (first - moved).norm() <= 1e-4 * moved.norm(), name
        assert said[0]["loss"] == pytest.approx(history.epochs[0].loss, rel=1e-4), name
        is_empty = name.endswith(", 0 asked") and "teacher" not in name
        assert (moved.norm() == 0) == is_empty and (said[0]["loss"] == 0) == is_empty, name


def test_only_the_main_process_writes_and_speaks(joined: Joined) -> None:
    out, _, said = joined
    for which in ("float", "fine", "taught"):
        assert [path.name for path in (out / which).iterdir()] == [CHECKPOINT_FILE]
    assert said.count("epoch 4/4: loss") == 2, "of two runs"


def test_a_killed_process_ends_the_run_and_the_same_command_goes_on(tmp_path: Path, joined: Joined) -> None:
    killed = torchrun(joined_task.__file__, str(2 * STEPS + 3), str(tmp_path))
    assert killed.returncode != 0 and "Signal 9 (SIGKILL)" in killed.stderr
    resumed = torchrun(joined_task.__file__, "0", str(tmp_path))
    assert resumed.returncode == 0 and resumed.stderr.count("going on after epoch 2 of 4") == 1, resumed.stderr
    undisturbed = joined[1][0]["nets"]["float"]
    for rank in (0, 1):
        kept = torch.load(tmp_path / f"process{rank}.pt", weights_only=True)
        assert kept["steps"] == 2 * STEPS
        assert all(torch.equal(kept["net"][name], value) for name, value in undisturbed.items())


def test_the_verbs_train_from_shards_and_the_main_process_writes_the_net(tmp_path: Path) -> None:
    write_shards(pictures(train_count=140), tmp_path / "shards", pictures_per_shard=25)
    train = ("train", "--data", str(tmp_path / "shards"), "--size", "32", "--net", "mobilenet_v2", "--width", "0.35")
    done = torchrun("-m", "mobile_sdk", *train, "--epochs", "1", "--out", str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["net.safetensors", "train"]
    assert done.stdout.count("validation accuracy") == 1


def test_what_all_processes_find_wrong_is_said_once(tmp_path: Path) -> None:
    done = torchrun(joined_task.__file__, "nonsense", str(tmp_path))
    assert done.returncode == 1 and done.stderr.count("error: expected a task") == 1


@pytest.fixture
def second_of_two(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if `torchrun` had started this process as the second one."""
    for name, value in (("LOCAL_RANK", "1"), ("RANK", "1"), ("WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    current_processes.cache_clear()
    yield
    current_processes.cache_clear()


@pytest.mark.usefixtures("second_of_two")
def test_the_other_processes_are_silent_write_nothing_and_end_after_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not is_main_process()
    say("news")
    assert folder_to_write(tmp_path / "run") == tmp_path / "run" and not (tmp_path / "run").exists()
    with pytest.raises(OtherProcess) as ended:
        end_others()
    assert ended.value.code == 0
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("second_of_two")
def test_an_error_of_another_process_says_which_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "PATIENCE_S", 0.0)
    assert app.call(["train", "--task", "nonsense"]) == 2
    assert capsys.readouterr().err.startswith("process 1 of 2: error: expected a task")


@pytest.mark.usefixtures("second_of_two")
def test_without_accelerate_joining_is_refused_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(MachineError, match=r"accelerate for training on 2 processes.*pip install .\.\[distributed\]"):
        current_processes()


def test_one_process_trains_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("accelerate", "webdataset"):
        monkeypatch.setitem(sys.modules, package, None)
    assert fit(tiny_net(), pictures(), PLAN, contract=CONTRACT, progress=False).epochs


def test_parts_cover_everything_once() -> None:
    for count in (1, 2, 3, 5):
        for total in (10, 11, 64):
            group = [_Some(rank, count) for rank in range(count)]
            covered = [index for each in group for index in range(total)[each.part_of(total)]]
            assert covered == list(range(total))


@pytest.fixture
def first_of_five() -> _Joined:
    """Returns an object that knows its processes without having joined them."""
    group = object.__new__(_Joined)
    group.rank, group.count = 0, 5
    return group


def test_batches_and_sets_too_small_for_all_processes_are_refused(first_of_five: _Joined) -> None:
    with pytest.raises(SettingError, match="a batch of 10 pictures or more for 5 processes, found 8"):
        first_of_five.check(pictures=60, batch=8)
    with pytest.raises(SettingError, match="a batch of 64 pictures or more to learn from, found 60"):
        first_of_five.check(pictures=60, batch=64)
    with pytest.raises(SettingError, match="a picture to validate by for each of 5 processes, found 4"):
        first_of_five.own([1, 2, 3, 4])


def test_a_parameter_that_takes_no_part_is_named(first_of_five: _Joined) -> None:
    net = tiny_net()
    net.spare = nn.Linear(2, 2)
    net(torch.zeros(2, 3, 16, 16)).sum().backward()
    with pytest.raises(SettingError, match=r"found that these do not: spare\.weight, spare\.bias"):
        first_of_five.check_gradients(net)


class _Some(Processes):
    def __init__(self, rank: int, count: int) -> None:
        self.rank, self.count = rank, count

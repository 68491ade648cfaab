"""The training loop: it learns, repeats itself bit for bit, and survives being killed."""

import os
import pickle
import signal
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mobile_sdk.contract import Contract
from mobile_sdk.errors import CaptureError, MachineError, SettingError
from mobile_sdk.system.temporary_folder import locked_folder
from qat.data.picture_set import PictureSet, normalised
from qat.preparation.preparation import prepare
from qat.tasks.classification.training import evaluate, fit
from qat.training.batches import training_batches
from qat.training.checkpoint import Fingerprint, save_checkpoint
from qat.training.checkpoint_file import CHECKPOINT_FILE, State
from qat.training.history import History
from qat.training.optimization.batch_norm_warm_up import StatisticsWarmUp
from qat.training.optimization.phases import Phase
from qat.training.optimization.weight_average import WeightAverage
from qat.training.plan import TrainPlan
from tests.support.child_process import run
from tests.support.repository import ROOT
from tests.support.training import small_task
from tests.support.training.small_task import CONTRACT, PLAN, figures, pictures, same, tiny_net

CPU = torch.device("cpu")
STEPS = 7  # whole batches of 8 in 60 pictures


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_a_net_learns_and_is_left_in_evaluation_mode() -> None:
    net, plan = tiny_net(), replace(PLAN, epochs=12)
    history = fit(net, pictures(), plan, contract=CONTRACT)
    assert [epoch.epoch for epoch in history.epochs] == list(range(1, 13))
    assert history.epochs[-1].loss < history.epochs[0].loss
    assert history.epochs[-1].validation_accuracy_share >= 0.9
    assert history.epochs[-1].validation_accuracy_share == evaluate(net, pictures().validation, CONTRACT)
    assert not net.training
    assert History.model_validate_json(history.model_dump_json()) == history


def test_the_same_call_gives_the_same_net_bit_for_bit_whatever_the_callers_random_state() -> None:
    nets = [tiny_net(), tiny_net()]
    histories = []
    for seed, net in enumerate(nets):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        histories.append(fit(net, pictures(), PLAN, contract=CONTRACT, progress=False))
        assert torch.equal(before, torch.get_rng_state())
    assert same(*nets) and figures(histories[0]) == figures(histories[1])
    other = tiny_net()
    fit(other, pictures(), replace(PLAN, seed=4), contract=CONTRACT, progress=False)
    assert not same(nets[0], other)


def train_in_a_process(out: Path, kill: str) -> subprocess.CompletedProcess[str]:
    out.mkdir(exist_ok=True)
    return run([sys.executable, small_task.__file__, str(out), kill], env={**os.environ, "PYTHONPATH": str(ROOT)})


def test_killed_in_mid_epoch_and_in_mid_write_the_run_ends_as_if_undisturbed(tmp_path: Path) -> None:
    whole = tiny_net()
    history = fit(whole, pictures(), PLAN, contract=CONTRACT)
    killed = train_in_a_process(tmp_path / "killed", f"step{2 * STEPS + 3}")
    assert killed.returncode == -signal.SIGKILL and "epoch 2/4" in killed.stderr
    # Two flushes a checkpoint, of the file and of the folder: the first of the third epoch is the first here.
    killed = train_in_a_process(tmp_path / "killed", "write1")
    assert killed.returncode == -signal.SIGKILL and "going on after epoch 2" in killed.stderr
    (half,) = (tmp_path / "killed").glob(f".*/{CHECKPOINT_FILE}")
    assert half.stat().st_size == 1000
    resumed = train_in_a_process(tmp_path / "killed", "never")
    assert resumed.returncode == 0 and "going on after epoch 2" in resumed.stderr, resumed.stderr
    assert not half.exists(), "what a killed run left goes with the next one"
    result = torch.load(tmp_path / "killed" / "result.pt", weights_only=True)
    assert result["steps"] == 2 * STEPS and result["history"] == str(figures(history))
    assert result["net"].keys() == whole.state_dict().keys()
    assert all(torch.equal(result["net"][name], tensor) for name, tensor in whole.state_dict().items())


def test_an_interrupt_leaves_a_checkpoint_that_goes_on(tmp_path: Path) -> None:
    net = tiny_net()

    def interrupt(*_: object) -> None:
        if net.steps == STEPS + 2:
            raise KeyboardInterrupt

    hook = net.register_forward_hook(interrupt)
    with pytest.raises(KeyboardInterrupt) as stopped:
        fit(net, pictures(), PLAN, contract=CONTRACT, out=tmp_path)
    assert stopped.value.__notes__ == ["the same call goes on from epoch 2"]
    hook.remove()
    resumed, whole = tiny_net(), tiny_net()
    fit(resumed, pictures(), PLAN, contract=CONTRACT, out=tmp_path)
    fit(whole, pictures(), PLAN, contract=CONTRACT)
    assert resumed.steps == 3 * STEPS and same(resumed, whole)


def test_stopped_while_it_saves_a_training_says_what_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def save_the_first(folder: Path, mark: Fingerprint, state: State) -> None:
        if (folder / CHECKPOINT_FILE).exists():
            raise KeyboardInterrupt
        save_checkpoint(folder, mark, state)

    monkeypatch.setattr("qat.training.loop.save_checkpoint", save_the_first)
    with pytest.raises(KeyboardInterrupt) as stopped:
        fit(tiny_net(), pictures(), PLAN, contract=CONTRACT, out=tmp_path)
    assert stopped.value.__notes__ == ["the same call goes on from epoch 2"]


def test_the_same_call_in_a_notebook_goes_on_and_another_folder_begins_anew(tmp_path: Path) -> None:
    undisturbed, again = tiny_net(), tiny_net()
    fit(undisturbed, pictures(), PLAN, contract=CONTRACT, out=tmp_path / "a", progress=False)

    def interrupt(*_: object) -> None:
        if again.steps == STEPS + 1:
            raise KeyboardInterrupt

    hook = again.register_forward_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        fit(again, pictures(), PLAN, contract=CONTRACT, out=tmp_path / "b", progress=False)
    hook.remove()
    for _ in range(2):  # the second time there is nothing left to do
        fit(again, pictures(), PLAN, contract=CONTRACT, out=tmp_path / "b", progress=False)
        assert same(undisturbed, again)
    fit(again, pictures(), PLAN, contract=CONTRACT, out=tmp_path / "c", progress=False)
    assert not same(undisturbed, again)
    with pytest.raises(SettingError, match="initial weights"):
        fit(tiny_net(), pictures(), PLAN, contract=CONTRACT, out=tmp_path / "c", progress=False)


def test_two_never_train_in_one_folder_at_once(tmp_path: Path) -> None:
    with (
        locked_folder(tmp_path),
        pytest.raises(MachineError, match=f"alone in {tmp_path}, found that another process trains there"),
    ):
        fit(tiny_net(), pictures(), PLAN, contract=CONTRACT, out=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_replaced_by_a_checkpoint_is_refused_before_anything_is_learned(tmp_path: Path) -> None:
    net = tiny_net()
    os.mkfifo(tmp_path / CHECKPOINT_FILE)
    with pytest.raises(SettingError, match=f"{CHECKPOINT_FILE}, found a FIFO"):
        fit(net, pictures(), PLAN, contract=CONTRACT, out=tmp_path)
    assert net.steps == 0


def test_a_checkpoint_that_unfolds_to_more_than_it_holds_is_replaced(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fit(tiny_net(), pictures(), PLAN, contract=CONTRACT, out=tmp_path)
    path = tmp_path / CHECKPOINT_FILE
    with zipfile.ZipFile(path) as plain:
        members = {name: plain.read(name) for name in plain.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members.items():
            packed.writestr(name, data)
    net = tiny_net()
    fit(net, pictures(), PLAN, contract=CONTRACT, out=tmp_path)
    assert net.steps == 4 * STEPS and "damaged" in capfd.readouterr().err


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    first, second = tiny_net(), tiny_net()
    histories = [fit(net, pictures(), PLAN, contract=CONTRACT, out=tmp_path) for net in (first, second)]
    assert second.steps == 0 and same(first, second) and histories[0] == histories[1]
    third = tiny_net()
    fit(third, pictures(), PLAN, contract=CONTRACT, out=tmp_path, resume=False)
    assert third.steps == 4 * STEPS


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("plan", {"plan": replace(PLAN, label_smoothing=0.0)}),
        ("contract", {"contract": CONTRACT.model_copy(update={"name": "other"})}),
        ("training pictures and training labels", {"pictures": pictures(train_count=59)}),
        ("initial weights", {"net": tiny_net(seed=1)}),
    ],
)
def test_another_runs_checkpoint_is_refused_by_name_and_replaced_only_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str, change: dict[str, object]
) -> None:
    fit(tiny_net(), pictures(), PLAN, contract=CONTRACT, out=tmp_path)
    before = (tmp_path / CHECKPOINT_FILE).read_bytes()
    arguments: dict[str, Any] = {
        "net": tiny_net(),
        "pictures": pictures(),
        "plan": PLAN,
        "contract": CONTRACT,
        **change,
    }
    with pytest.raises(SettingError, match=f"found a finished training of 4 epochs, with other {what} .*--overwrite"):
        fit(**arguments, out=tmp_path)
    assert (tmp_path / CHECKPOINT_FILE).read_bytes() == before and arguments["net"].steps == 0
    capsys.readouterr()
    history = fit(**arguments, out=tmp_path, overwrite=True)
    assert f"a run with other {what}:" in capsys.readouterr().err
    assert len(history.epochs) == 4 and arguments["net"].steps == 4 * STEPS


@pytest.mark.parametrize("epochs", [2, 7])
def test_an_unfinished_run_is_not_replaced_by_one_of_another_length(tmp_path: Path, epochs: int) -> None:
    net = tiny_net()
    interrupted(net, STEPS + 2, PLAN, tmp_path)
    with pytest.raises(SettingError, match="found an unfinished one, 1 of 4 epochs, with other number of epochs"):
        fit(tiny_net(), pictures(), PLAN.over(epochs), contract=CONTRACT, out=tmp_path)
    fit(resumed := tiny_net(), pictures(), PLAN, contract=CONTRACT, out=tmp_path)
    assert resumed.steps == 3 * STEPS, "the run itself goes on"


def test_a_finished_run_is_not_cut_short(tmp_path: Path) -> None:
    fit(tiny_net(), pictures(), PLAN, contract=CONTRACT, out=tmp_path)
    with pytest.raises(SettingError, match="a finished training of 4 epochs, with other number of epochs"):
        fit(tiny_net(), pictures(), PLAN.over(3), contract=CONTRACT, out=tmp_path)


def test_a_file_of_somebody_elses_is_not_replaced(tmp_path: Path) -> None:
    torch.save({"state_dict": {}}, tmp_path / CHECKPOINT_FILE)
    with pytest.raises(SettingError, match="found another file"):
        fit(tiny_net(), pictures(), PLAN, contract=CONTRACT, out=tmp_path)


def test_more_epochs_begin_from_the_finished_weights_by_a_schedule_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finished, longer = tiny_net(), tiny_net()
    first = fit(finished, pictures(), PLAN, contract=CONTRACT, out=tmp_path)
    seen: list[bool] = []
    hook = longer.register_forward_pre_hook(
        lambda net, _: seen.append(same(net, finished)) if net.training and not seen else None
    )
    both = fit(longer, pictures(), PLAN.over(6), contract=CONTRACT, out=tmp_path)
    hook.remove()
    assert "the training of 4 epochs is finished: 2 more begin" in capsys.readouterr().err
    assert seen == [True] and longer.steps == 2 * STEPS
    assert both.epochs[:4] == first.epochs and [epoch.epoch for epoch in both.epochs] == list(range(1, 7))
    rates = [epoch.learning_rate for epoch in both.epochs[4:]]
    assert rates == [PLAN.over(2).learning_rate_at(step, STEPS) for step in (STEPS - 1, 2 * STEPS - 1)]
    again = tiny_net()
    assert fit(again, pictures(), PLAN.over(6), contract=CONTRACT, out=tmp_path) == both
    assert again.steps == 0 and same(again, longer)


@pytest.mark.parametrize("stopped_at", [2, STEPS + 2], ids=["in the first further epoch", "in the second"])
def test_stopped_among_further_epochs_nothing_is_lost(tmp_path: Path, stopped_at: int) -> None:
    plan = PLAN.over(6)
    for folder in ("whole", "stopped"):
        fit(tiny_net(), pictures(), PLAN, contract=CONTRACT, out=tmp_path / folder)
    fit(whole := tiny_net(), pictures(), plan, contract=CONTRACT, out=tmp_path / "whole")
    interrupted(tiny_net(), stopped_at, plan, tmp_path / "stopped")
    fit(resumed := tiny_net(), pictures(), plan, contract=CONTRACT, out=tmp_path / "stopped")
    assert same(whole, resumed)


def test_a_fake_quantized_net_learns_further_too(tmp_path: Path) -> None:
    short, plan = (TrainPlan.finetune(epochs=epochs, after=PLAN) for epochs in (2, 4))
    net = tiny_net().eval()
    first, longer = prepare(net, CONTRACT), prepare(net, CONTRACT)
    fit(first, pictures(), short, out=tmp_path)
    history = fit(longer, pictures(), plan, out=tmp_path)
    assert [epoch.phases for epoch in history.epochs[2:]] == [epoch.phases for epoch in history.epochs[:2]]
    assert not same(first, longer)


def interrupted(net: small_task.TinyNet, step: int, plan: TrainPlan, out: Path) -> None:
    """Trains until Ctrl-C at a step."""

    def interrupt(*_: object) -> None:
        if net.steps == step:
            raise KeyboardInterrupt

    hook = net.register_forward_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        fit(net, pictures(), plan, contract=CONTRACT, out=out)
    hook.remove()


class _Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("evil",)


@pytest.mark.parametrize(
    "content",
    [b"", b"no checkpoint", pickle.dumps(_Evil(), 2), pickle.dumps([1], 2)],
    ids=["empty", "text", "evil", "list"],
)
def test_a_damaged_or_malicious_checkpoint_is_replaced_never_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / CHECKPOINT_FILE).write_bytes(content)
    net = tiny_net()
    fit(net, pictures(), replace(PLAN, epochs=2), contract=CONTRACT, out=tmp_path)
    assert "damaged" in capsys.readouterr().err
    assert net.steps == 2 * STEPS and not (tmp_path / "evil").exists()


def test_a_loss_that_is_not_finite_names_epoch_and_step_and_spares_the_weights() -> None:
    net = tiny_net()

    def spoil(_: nn.Module, __: object, scores: Tensor) -> Tensor:
        return scores * float("nan") if net.steps == STEPS + 3 else scores

    net.register_forward_hook(spoil)
    with pytest.raises(SettingError, match=r"found nan in epoch 2, step 3 .*lower the learning rate"):
        fit(net, pictures(), PLAN, contract=CONTRACT)
    assert all(weight.isfinite().all() for weight in net.parameters())


def test_the_contract_comes_from_the_net_or_is_asked_for() -> None:
    net = tiny_net()
    with pytest.raises(SettingError, match="expected a contract"):
        fit(net, pictures(), PLAN)
    net.contract = CONTRACT
    fit(net, pictures(), replace(PLAN, epochs=2))
    assert 0 <= evaluate(net, pictures().validation) <= 1


def test_pictures_with_other_labels_than_the_contracts_are_refused() -> None:
    other = Contract(name="sides", labels=("dark", "right", "left"), image=CONTRACT.image)
    with pytest.raises(SettingError, match="another order"):
        fit(tiny_net(), pictures(), PLAN, contract=other)


class ScheduledNet(small_task.TinyNet):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[int, bool, bool]] = []
        self.learned: list[int] = []

    def learn_steps(self) -> None:
        self.learned.append(-1)

    def set_phase(self, *, freeze_observers: bool, freeze_batch_norm: bool, learn_steps: bool = False) -> None:
        assert self.training
        self.calls.append((self.steps, freeze_observers, freeze_batch_norm))
        if learn_steps:
            self.learned.append(self.steps)


PHASES = (
    Phase(name="follow", begins_share=0.0, observes=True, batch_norm_follows=True),
    Phase(name="fold", begins_share=0.5, observes=True, batch_norm_follows=False),
    Phase(name="hold", begins_share=0.8, observes=False, batch_norm_follows=False),
)


def test_a_net_that_can_freeze_is_told_at_every_epoch_and_change_and_for_validation() -> None:
    net = ScheduledNet()
    history = fit(net, pictures(), replace(PLAN, phases=PHASES), contract=CONTRACT)
    late = -(-4 * STEPS * 8 // 10)
    still = True, True
    assert net.calls == [
        (0, False, False),
        (STEPS, *still),
        (STEPS, False, False),
        (2 * STEPS, *still),
        (2 * STEPS, False, True),
        (3 * STEPS, *still),
        (3 * STEPS, False, True),
        (late, True, True),
        (4 * STEPS, *still),  # for the last validation
        (4 * STEPS, *still),  # and for good, also where a finished run was taken up
    ]
    assert [epoch.phases for epoch in history.epochs] == [("follow",), ("follow",), ("fold",), ("fold", "hold")]


def test_steps_become_parameters_before_the_run_and_are_learned_in_their_phase_alone() -> None:
    net = ScheduledNet()
    middle = replace(PHASES[1], name="learn steps", learns_steps=True)
    history = fit(net, pictures(), replace(PLAN, phases=(PHASES[0], middle, PHASES[2])), contract=CONTRACT)
    assert net.learned == [-1, 2 * STEPS, 3 * STEPS], "the third and fourth epoch's beginning"
    assert history.epochs[2].phases == ("learn steps",) and history.epochs[3].phases == ("learn steps", "hold")


def test_even_a_run_of_one_epoch_freezes() -> None:
    net = ScheduledNet()
    fit(net, pictures(), TrainPlan.finetune(epochs=1, after=PLAN), contract=CONTRACT)
    assert [call[1:] for call in net.calls] == [(False, False), (False, True), *[(True, True)] * 3]


def test_a_fake_quantized_net_goes_on_bit_for_bit_and_then_holds_still(tmp_path: Path) -> None:
    plan = TrainPlan.finetune(epochs=3, after=PLAN)
    net = tiny_net()
    fit(net, pictures(), replace(PLAN, epochs=2), contract=CONTRACT)
    whole, parts, again = (prepare(net, CONTRACT) for _ in range(3))
    steps = []

    def interrupt(module: nn.Module, *_: object) -> None:
        steps.append(module.training)
        if sum(steps) == 2 * STEPS + 2:
            raise KeyboardInterrupt

    hook = parts.register_forward_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        fit(parts, pictures(), plan, out=tmp_path)
    hook.remove()
    for resumed, out in ((whole, None), (again, tmp_path)):
        fit(resumed, pictures(), plan, out=out)
    assert same(whole, again) and not same(whole, prepare(net, CONTRACT))
    taken_up = prepare(net, CONTRACT)
    fit(taken_up, pictures(), plan, out=tmp_path)
    taken_up(9 * torch.randn(8, 3, 16, 16))
    assert same(whole, taken_up)


def test_the_average_follows_tensorflows_rule_and_swaps_in_and_out() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    average = WeightAverage(net, 0.5)
    expected = net[0].weight.detach().clone()
    for update in range(1, 20):
        with torch.no_grad():
            net[0].weight += update
            net[1].running_mean += 1
        average.update()
        decay = min(0.5, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay) * net[0].weight.detach()
    own = net[0].weight.detach().clone()
    with average.applied():
        assert torch.allclose(net[0].weight, expected) and not torch.allclose(net[0].weight, own)
        assert (net[1].running_mean < 19).all()
    assert torch.equal(net[0].weight, own) and (net[1].running_mean == 19).all()


def test_short_runs_forget_the_statistics_that_were_never_measured() -> None:
    norm = nn.BatchNorm2d(4, momentum=0.01)
    warm_up = StatisticsWarmUp(norm)
    for step in range(30):
        warm_up.set_step(step)
        norm(5 + 0.01 * torch.randn(8, 4, 3, 3))
    warm_up.end()
    assert norm.running_mean is not None and norm.running_var is not None
    assert torch.allclose(norm.running_mean, torch.tensor(5.0), atol=0.01) and norm.running_var.max() < 0.01
    assert norm.momentum == 0.01
    StatisticsWarmUp(norm).set_step(0)
    assert norm.momentum == 0.01  # it has seen pictures


def test_without_augmentation_batches_are_the_recipes_bytes_each_picture_at_most_once() -> None:
    part, plan = pictures().train, replace(PLAN, augmentation=None)
    rows = torch.from_numpy(part.bytes(CONTRACT.image).copy()).permute(0, 3, 1, 2)
    known = {
        normalised(row[None], CONTRACT.image).numpy().tobytes(): target
        for row, target in zip(rows, part.targets, strict=True)
    }
    seen = [
        (picture[None].numpy().tobytes(), int(target))
        for batch, targets in training_batches(part, CONTRACT.image, plan, 0, CPU)
        for picture, target in zip(batch, targets, strict=True)
    ]
    assert len(seen) == len({content for content, _ in seen}) == STEPS * 8
    assert all(known[content] == target for content, target in seen)


def test_batches_decoded_on_the_way_are_the_ones_from_memory() -> None:
    part = pictures().train
    streamed = PictureSet(sources=part.sources, targets=part.targets, cache_mib=0)
    pairs = zip(*(training_batches(each, CONTRACT.image, PLAN, 5, CPU) for each in (part, streamed)), strict=True)
    count = 0
    for (held, held_targets), (decoded, decoded_targets) in pairs:
        assert torch.equal(held, decoded) and torch.equal(held_targets, decoded_targets)
        assert held.shape == (8, 3, 16, 16) and held.is_contiguous()
        count += 1
    assert count == STEPS


def test_each_epoch_has_its_own_batches() -> None:
    first, again, second = (
        torch.cat([rgb for rgb, _ in training_batches(pictures().train, CONTRACT.image, PLAN, epoch, CPU)])
        for epoch in (0, 0, 1)
    )
    assert torch.equal(first, again) and not torch.equal(first, second)


def test_a_set_smaller_than_a_batch_is_one_batch() -> None:
    history = fit(tiny_net(), pictures(5, 5), replace(PLAN, epochs=2), contract=CONTRACT)
    assert len(history.epochs) == 2


def test_evaluate_counts_and_leaves_the_mode() -> None:
    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scores = nn.Parameter(torch.tensor([0.0, 1.0, 0.5]))

        def forward(self, x: Tensor) -> Tensor:
            assert not self.training
            return self.scores.expand(len(x), -1)

    net, part = Constant().train(), pictures(validation_count=450).validation
    assert evaluate(net, part, CONTRACT) == part.targets.count(1) / 450
    assert net.training


@pytest.mark.parametrize(
    ("what", "found"),
    [
        (lambda y: {"scores": y}, "found dict of 1"),
        (lambda y: (y, y), "found tuple of 2"),
        (lambda y: None, "found None"),
        (lambda y: y[:, :2], r"found Tensor of shape \(\d+, 2\)"),
        (lambda y: y.argmax(1), r"found Tensor of shape \(\d+,\)"),
    ],
)
def test_a_net_that_gives_something_else_than_scores_is_refused(what: Any, found: str) -> None:
    own = tiny_net()
    forward = own.forward
    own.forward = lambda x: what(forward(x))  # type: ignore[method-assign]
    for call in (lambda: fit(own, pictures(), PLAN, contract=CONTRACT), lambda: evaluate(own, pictures(), CONTRACT)):
        with pytest.raises(CaptureError, match=rf"scores \(\d+, 3\) in .*{found}"):
            call()


def test_a_net_that_cannot_learn_is_refused() -> None:
    with pytest.raises(SettingError, match="none that requires a gradient"):
        fit(tiny_net().requires_grad_(False), pictures(), PLAN, contract=CONTRACT)
    with pytest.raises(SettingError, match=r"in float32, found one in torch\.float16"):
        fit(tiny_net().half(), pictures(), PLAN, contract=CONTRACT)
    with pytest.raises(SettingError, match=r"in float32, found one in torch\.float64"):
        evaluate(tiny_net().double(), pictures(), CONTRACT)

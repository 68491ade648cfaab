"""Labels weigh as they are asked to, and what is told of them label by label is right."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from mobile_sdk.bundle.bundle import open_bundle
from mobile_sdk.contract import Contract
from mobile_sdk.errors import SettingError
from mobile_sdk.program.program import Program
from mobile_sdk.tasks.class_quality import label_lines, never_right, right_counts, shares_of, worst_labels
from mobile_sdk.tasks.quality import Quality
from qat.data.picture_set import PictureSet
from qat.data.pictures import Pictures
from qat.nets.saved_net import SavedNet, read_header
from qat.tasks.classification.training import evaluate, fit
from qat.training.label_loss import balanced, label_loss
from tests.support.command_line import SETTINGS, SmallRun, mobile_sdk
from tests.support.training.small_task import CONTRACT, PLAN, pictures, same, tiny_net

SCORES = torch.randn(12, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
TARGETS = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1, 2, -1, -1, 0])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_without_a_balance_it_is_the_cross_entropy_to_the_bit(smoothing: float) -> None:
    found = label_loss(SCORES, TARGETS, ignored=-1, smoothing=smoothing)
    assert torch.equal(found, cross_entropy(SCORES, TARGETS, ignore_index=-1, label_smoothing=smoothing))


def test_balanced_labels_weigh_alike() -> None:
    balance = balanced([7, 2, 1])
    assert balance.tolist() == pytest.approx([10 / 21, 10 / 6, 10 / 3])
    found = label_loss(SCORES, TARGETS, ignored=-1, smoothing=0.0, balance=balance)
    each = cross_entropy(SCORES, TARGETS, ignore_index=-1, reduction="none").detach()
    means = [float(each[label == TARGETS].mean()) for label in range(3)]
    assert found.item() == pytest.approx(sum(means) / 3, rel=1e-6)
    weighted = cross_entropy(SCORES, TARGETS, ignore_index=-1, weight=balance)
    assert found.item() == pytest.approx(weighted.item(), rel=1e-6), "PyTorch's own with these weights"


def test_labels_without_pictures_weigh_nothing_and_equal_ones_one() -> None:
    assert balanced([5, 5, 0]).tolist() == [1.0, 1.0, 0.0]
    with pytest.raises(SettingError, match="expected labels to balance by class_balance, found none"):
        balanced([0, 0])


def test_where_nothing_is_asked_the_loss_is_0_and_every_gradient_is() -> None:
    scores = torch.randn(4, 3, 2, 2, requires_grad=True)
    for balance in (None, balanced([1, 1, 1])):
        loss = label_loss(scores, torch.full((4, 2, 2), 255), ignored=255, smoothing=0.1, balance=balance)
        (gradient,) = torch.autograd.grad(loss, scores)
        assert loss.item() == 0 and not gradient.any()


def rare(count: int = 60) -> Pictures:
    """Returns training pictures with only three of the last label."""
    whole = pictures(train_count=4 * count)
    rows = [row for row, target in enumerate(whole.train.targets) if target != 2]
    rows = sorted([*rows[:count], *[row for row, target in enumerate(whole.train.targets) if target == 2][:3]])
    train = PictureSet(
        sources=tuple(whole.train.sources[row] for row in rows), targets=tuple(whole.train.targets[row] for row in rows)
    )
    return replace(whole, train=train)


def test_a_balanced_training_learns_a_rare_label_and_goes_on_bit_for_bit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, balance = replace(PLAN, epochs=2), replace(PLAN, epochs=2, class_balance=True)
    recalls = [fit(tiny_net(), rare(), plan, contract=CONTRACT).by_label for plan in (plain, balance)]
    assert recalls[0] is not None and recalls[1] is not None
    assert recalls[0][2] == 0.0 and (recalls[1][2] or 0.0) > 0.9
    (warning,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("warning"))
    assert warning == "warning: never right on held-out pictures: right"
    whole, parts, again = tiny_net(), tiny_net(), tiny_net()
    fit(whole, rare(), balance, contract=CONTRACT)

    def interrupt(*_: object) -> None:
        if parts.steps == 10:
            raise KeyboardInterrupt

    parts.register_forward_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        fit(parts, rare(), balance, contract=CONTRACT, out=tmp_path)
    history = fit(again, rare(), balance, contract=CONTRACT, out=tmp_path)
    assert same(whole, again) and history.by_label == recalls[1]
    assert fit(tiny_net(), rare(), balance, contract=CONTRACT, out=tmp_path).by_label == recalls[1], "as it is loaded"
    with pytest.raises(SettingError, match=r"with other plan \("):
        fit(tiny_net(), rare(), plain, contract=CONTRACT, out=tmp_path)


def test_pictures_without_a_label_count_neither_as_seen_nor_as_wrong() -> None:
    whole = pictures()
    targets = tuple(target if row % 2 else -1 for row, target in enumerate(whole.train.targets))
    part = replace(whole, train=PictureSet(sources=whole.train.sources, targets=targets))
    net = tiny_net()
    history = fit(net, part, replace(PLAN, epochs=6), contract=CONTRACT)
    assert (history.epochs[-1].train_accuracy_share or 0) > 0.6, "of the labelled half"
    labelled = PictureSet(sources=part.train.sources[1::2], targets=targets[1::2])
    assert evaluate(net, part.train, CONTRACT) == evaluate(net, labelled, CONTRACT)


def test_the_worst_labels_stand_first_few_of_many_and_unknown_ones_nowhere() -> None:
    labels = [f"label {index}" for index in range(1000)]
    shares = tuple(None if index == 3 else index / 1000 for index in range(1000))
    worst, never = label_lines(labels, shares)
    assert worst.startswith("worst labels: label 0 0.0%, label 1 0.1%, label 2 0.2%, label 4 0.4%") and len(worst) < 100
    assert never.endswith(": label 0")
    assert label_lines(labels, None) == [] and worst_labels(["a"], (None,)) is None
    assert never_right(labels, (0.0,) * 1000) is not None and len(never_right(labels, (0.0,) * 1000) or "") < 200
    assert "\n" not in "".join(label_lines(["a\nb"], (0.0,)))


def test_right_pictures_are_counted_by_their_own_label() -> None:
    winners, targets = np.array([0, 1, 1, 2, 0, 2]), np.array([0, 1, 2, 2, -1, 2])
    assert right_counts(winners, targets, 4).tolist() == [[1, 1, 2, 0], [1, 1, 3, 0]]
    assert shares_of(right_counts(winners, targets, 4)) == (1.0, 1.0, pytest.approx(2 / 3), None)


def test_files_without_shares_by_label_are_what_they_were(small: SmallRun) -> None:
    quality = Quality(measure="top-1 accuracy", value=0.5, images=10)
    assert quality.model_dump_json() == '{"measure":"top-1 accuracy","value":0.5,"images":10}'
    assert Quality.model_validate_json(quality.model_dump_json()) == quality
    saved = SavedNet(net="x", contract=Contract(name="x", labels=("a", "b")))
    assert "by_label" not in saved.model_dump_json()
    manifest = open_bundle(small.folder / "bundles" / "sides.tflite").manifest
    assert "by_class" not in manifest.model_dump_json(), "apps read the manifest's quality strictly"


def test_verbs_tell_every_label_in_json_and_the_worst_in_words(small: SmallRun, tmp_path: Path) -> None:
    trained, quantized = (done.json for done in small.said[:2])
    assert list(trained["by_label"]) == ["dark", "left", "right"]
    program = Program.load(small.program)
    for quality in (program.record.float_quality, program.record.reference_quality):
        assert quality is not None and quality.by_class is not None and len(quality.by_class) == 3
        assert quality.value == pytest.approx(sum(filter(None, quality.by_class)) / 3), "as many of each are held out"
        assert list(quality.by_class) in [
            quantized[name]["by_class"] for name in ("float_quality", "reference_quality")
        ]
    header = read_header(small.folder / "net.safetensors")
    assert (
        header is not None
        and dict(zip(header.contract.labels, header.by_label or (), strict=True)) == trained["by_label"]
    )
    told = mobile_sdk("inspect", small.program)
    assert told.code == 0 and "int8 reference: worst labels: " in told.out
    page = tmp_path / "report.html"
    done = mobile_sdk("report", "--program", small.program, "--out", str(page), "--json")
    assert done.code == 0 and done.json["label_names"] == ["dark", "left", "right"]
    assert "Label by label" in page.read_text() and "int8 reference: worst labels: " in page.read_text()


def test_the_verb_balances_and_says_so_in_the_nets_header(small: SmallRun, tmp_path: Path) -> None:
    settings: Any = [*SETTINGS[:-1], "1"]
    done = mobile_sdk("train", "--data", small.pictures, *settings, "--class-balance", "--out", str(tmp_path))
    assert done.code == 0 and "worst labels: " in done.out, done.err
    header = read_header(tmp_path / "net.safetensors")
    assert header is not None and header.settings["class_balance"] is True
    assert header.settings["weight_decay"] == 0.02 and header.settings["label_smoothing"] == 0.1

"""Labels of the data against those of a net."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.errors import CaptureError, DataError, SettingError
from mobile_sdk.workflow.sources.source_net import SourceNet
from mobile_sdk.workflow.sources.users_net import users_own
from mobile_sdk.workflow.tasks.labelled_pictures import counts_line, in_order_of, load_pictures, load_pictures_of
from mobile_sdk.workflow.tasks.score_check import check_scores
from qat.data.picture_set import PictureSet
from qat.data.pictures import Pictures
from tests.support.command_line import save_pictures


def pictures(*labels: str) -> Pictures:
    gray = np.full((8, 8, 3), 128, np.uint8)
    some = PictureSet(sources=(gray,) * len(labels), targets=tuple(range(len(labels))))
    return Pictures(train=some, validation=some, labels=labels)


def test_fewer_labels_than_the_net_has_count_in_the_nets_order() -> None:
    contract = Contract(name="fruit", labels=("apple", "fig", "pear"))
    found = in_order_of(contract, pictures("apple", "pear"))
    assert found.labels == contract.labels
    assert found.train.targets == found.validation.targets == (0, 2)


def test_a_label_that_the_net_does_not_have_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="found others: kiwi"):
        in_order_of(Contract(name="fruit", labels=("apple", "pear")), pictures("apple", "kiwi"))


def counted(*counts: tuple[int, int]) -> Pictures:
    """That many pictures of each label to learn from and to validate by."""
    gray = np.full((8, 8, 3), 128, np.uint8)
    parts = [[index for index, pair in enumerate(counts) for _ in range(pair[part])] for part in (0, 1)]
    train, held_out = (PictureSet(sources=(gray,) * len(part), targets=tuple(part)) for part in parts)
    return Pictures(train=train, validation=held_out, labels=tuple(f"label{index}" for index in range(len(counts))))


def test_labels_are_listed_in_the_order_of_the_scores_with_their_counts() -> None:
    assert counts_line(counted((4, 1), (8, 2))) == "2 labels: label0 (4+1), label1 (8+2)"


def test_of_many_labels_those_with_the_fewest_and_the_most_pictures_are_named() -> None:
    line = counts_line(counted(*[(4, 1)] * 12, (1200, 300), (2, 1)))
    assert line.startswith("14 labels: label0 (4+1), ") and "\n" not in line
    assert line.endswith("label11 (4+1) …; fewest label13 (2+1), most label12 (1,200+300)")


def test_a_saved_nets_own_order_of_numbered_labels_is_kept(tmp_path: Path) -> None:
    as_text = ("0", "1", "10", "11", *map(str, range(2, 10)))  # as nets were saved before labels had natural order
    save_pictures(tmp_path, as_text, count=2)
    found = load_pictures_of(Contract(name="numbers", labels=as_text), str(tmp_path))
    assert found.labels == as_text
    for source, target in zip(found.train.sources, found.train.targets, strict=True):
        assert isinstance(source, Path) and source.parent.name == as_text[target]
    assert load_pictures(str(tmp_path)).labels == tuple(map(str, range(12)))


def test_pictures_beside_folders_of_no_label_are_taken_without_labels_and_it_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_pictures(tmp_path, ("more",), count=3)
    for file in (tmp_path / "more").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    found = load_pictures_of(Contract(name="fruit", labels=("apple", "pear")), str(tmp_path))
    assert (len(found.train), len(found.validation)) == (4, 2) and set(found.train.targets) == {-1}
    assert "no folder in" in capsys.readouterr().err


def test_a_users_net_without_labels_takes_numbered_folders_in_natural_order_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "numbered_nets.py").write_text("import torch\ndef net(): return torch.nn.Identity()\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])
    save_pictures(tmp_path / "set", tuple(map(str, range(12))), count=1)  # one picture a label is enough
    source, pictures = users_own("numbered_nets:net", "set", task="classification", size=32, name=None, labels=None)
    assert source.contract.labels == tuple(map(str, range(12))) and pictures is not None
    assert sorted((*pictures.train.targets, *pictures.validation.targets)) == list(range(12))
    assert "2 before 10" in (said := capsys.readouterr().err) and "the attribute `labels`" in said


@pytest.fixture
def bring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], SourceNet]:
    """Brings a net of three scores by `--model` to whose instance the text of a statement is applied."""
    save_pictures(tmp_path / "set", ("ash", "beech", "elm"), count=1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])

    def brought(statement: str) -> SourceNet:
        (tmp_path / "own_nets.py").write_text(
            "import torch\nfrom torch import nn\nfrom mobile_sdk.contract import ImageSpec\n"
            "class Net(nn.Module):\n"
            "    def __init__(self): super().__init__(); self.head = nn.Linear(3, 3)\n"
            "    def forward(self, x): return self.head(x.mean((2, 3)))\n"
            f"def net(): net = Net(); {statement}; return net\n"
        )
        importlib.invalidate_caches()
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        source, _ = users_own("own_nets:net", "set", task="classification", size=32, name=None, labels=None)
        check_scores(source.net, source.name, source.contract)
        return source

    return brought


@pytest.mark.parametrize(
    "statement",
    [
        "net.image = net.labels = nn.Identity()",
        "net.image = net.labels = torch.zeros(3)",
        "net.labels = nn.ModuleList([nn.ReLU()])",
        "net.image, net.labels = None, []",
        "Net.image = Net.labels = lambda self: 3",
        "net.half()",
        "net.double()",
        "net.forward = lambda x: net.head(x.mean((2, 3))).argmax(1, keepdim=True)",
    ],
)
def test_what_a_users_net_calls_image_or_labels_for_itself_is_left_alone(bring, statement) -> None:
    source = bring(statement)
    assert source.contract.labels == ("ash", "beech", "elm") and source.contract.image == ImageSpec(size_px=32)


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("net.labels = 'abc'", "list of names as the attribute `labels` of own_nets:net, found str 'abc'"),
        ("net.labels = (each for each in 'abc')", "found generator"),
        ("net.labels = {0: 'ash'}", "found dict of 1"),
        ("net.image = 224", "expected an ImageSpec as the attribute `image` of own_nets:net, found int 224"),
        ("net.image = {'size_px': 32}", "found dict of 1"),
        ("Net.labels = property(lambda self: [][1])", "found IndexError: list index out of range"),
        ("net.to('meta')", r"numbers in head\.weight, found a tensor on the device meta"),
    ],
)
def test_an_image_or_labels_of_another_kind_are_refused(bring, statement, found) -> None:
    with pytest.raises((SettingError, CaptureError), match=found):
        bring(statement)

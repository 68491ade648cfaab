"""The page shows what a classifier gets wrong, label by label, and where int8 decides otherwise than float."""

import numpy as np
import pytest
from pydantic import ValidationError

from mobile_sdk.contract import ImageSpec
from mobile_sdk.program.agreement import ChangedImage, Confusion, Decisions
from mobile_sdk.program.record import Record
from mobile_sdk.report.data import Report
from mobile_sdk.report.formats import setting
from mobile_sdk.report.page import render
from mobile_sdk.report.sections.decisions import (
    changed_pictures,
    confusion_matrix,
    confusion_rows,
    label_rows,
)
from mobile_sdk.report.sections.training import trainings
from mobile_sdk.tasks.quality import Quality
from mobile_sdk.workflow.tasks.judged_pictures import decisions_of
from qat.data.picture_set import PictureSet
from tests.support.made_up_report import DECISIONS, LABEL_NAMES, whole_report

SPEC = ImageSpec(size_px=32)


def test_a_matrix_has_a_row_a_true_label_and_counts_every_image_once() -> None:
    rows = confusion_matrix(whole_report())
    assert [name for name, _ in rows] == list(LABEL_NAMES)
    assert [[cell.in_int8 for cell in cells] for _, cells in rows] == [[33, 7, 0], [0, 30, 0], [2, 0, 28]]
    assert [[cell.in_float for cell in cells] for _, cells in rows] == [[36, 4, 0], [0, 30, 0], [0, 0, 30]]
    assert rows[0][1][0].share == 33 / 40 and [cell.is_right for cell in rows[0][1]] == [True, False, False]


def test_many_labels_have_a_list_of_confusions_and_no_matrix() -> None:
    names = tuple(f"label {number}" for number in range(100))
    few = Decisions(images=(1,) * 100, of_int8=(Confusion(label=98, found=99, images=1),))
    made = whole_report()
    assert made.record is not None
    record = made.record.model_copy(update={"decisions": few, "float_quality": None, "reference_quality": None})
    many = whole_report(label_names=names, record=record)
    assert confusion_matrix(many) == []
    (row,) = confusion_rows(many)
    assert (row.label, row.found, row.in_int8, row.in_float) == ("label 98", "label 99", 1, 0)
    assert "The 1 most frequent confusions" in render(many) and "Confusion matrix" not in render(many)


def test_labels_come_with_the_worst_in_int8_first() -> None:
    rows = label_rows(whole_report())
    assert [(row.label, row.images, row.in_float, row.in_int8) for row in rows] == [
        ("apple", 40, 0.9, 0.825),
        ("an apricot from the garden", 30, 1.0, 0.9333),
        ("pear", 30, 1.0, 1.0),
    ]


def test_the_page_shows_an_image_that_int8_decides_otherwise() -> None:
    page = render(whole_report())
    assert 'alt="Held-out image 17, of apple"' in page
    assert "float: apple, 51.3 % ✓" in page and "int8: pear, 48.8 %" in page
    made = whole_report(changed=())
    assert "Held-out image 17" not in render(made) and "float: apple, 51.3 %" in render(made)


def test_decisions_are_counted_from_scores() -> None:
    targets = np.array([0, 0, 1, 1, 2])
    in_float = np.log([[0.7, 0.2, 0.1], [0.3, 0.6, 0.1], [0.1, 0.8, 0.1], [0.45, 0.5, 0.05], [0.1, 0.1, 0.8]])
    in_int8 = np.log([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.5, 0.45, 0.05], [0.1, 0.1, 0.8]])
    found = decisions_of(in_int8, in_float, targets, 3)
    assert found.images == (2, 2, 1)
    assert found.of_float == (Confusion(label=0, found=1, images=1),)
    assert found.of_int8 == (Confusion(label=1, found=0, images=1),)
    wide, narrow = found.changed
    assert (wide.position, wide.label, wide.float_label, wide.int8_label) == (1, 0, 1, 0)
    assert (narrow.position, narrow.label) == (3, 1)
    assert (wide.float_share, wide.int8_share) == (pytest.approx(0.6), pytest.approx(0.6))


def test_images_without_labels_are_not_counted_but_those_that_change_are_told() -> None:
    in_float, in_int8 = np.array([[2.0, 1.0], [2.0, 1.0]]), np.array([[2.0, 1.0], [1.0, 2.0]])
    found = decisions_of(in_int8, in_float, np.array([-1, -1]), 2)
    assert (found.images, found.of_float, found.of_int8) == ((), (), ())
    assert [(each.position, each.label) for each in found.changed] == [(1, None)]


def test_pictures_are_drawn_only_if_they_are_those_that_were_judged() -> None:
    random = np.random.default_rng(0)
    sources = tuple(random.integers(0, 256, (40, 40, 3), np.uint8) for _ in range(20))
    pictures = PictureSet(sources=sources, targets=(0,) * 20)
    quality = Quality(measure="top-1 accuracy", value=0.9, images=20)
    record = Record(net="n", quantized="qat", reference_quality=quality, decisions=DECISIONS)
    (drawn,) = changed_pictures(record, SPEC, pictures)
    assert drawn.position == 17
    assert not list(changed_pictures(record, SPEC, PictureSet(sources=sources, targets=(1,) * 20)))
    assert not list(changed_pictures(record, SPEC, pictures[:19]))


@pytest.mark.parametrize(
    "damage",
    [
        {"images": (40, 30)},
        {"of_int8": (Confusion(label=0, found=3, images=1),)},
        {"changed": (ChangedImage(position=0, float_label=0, float_share=0.5, int8_label=9, int8_share=0.5),)},
    ],
)
def test_decisions_between_labels_that_there_are_not_are_no_report(damage: dict[str, object]) -> None:
    made = whole_report()
    assert made.record is not None
    decisions = DECISIONS.model_copy(update=damage)
    wrong = made.model_copy(update={"record": made.record.model_copy(update={"decisions": decisions})})
    with pytest.raises(ValidationError, match="expected decisions between the 3 labels"):
        Report.model_validate_json(wrong.model_dump_json())


def test_both_trainings_are_shown_each_with_its_own_loss_and_settings() -> None:
    of_float, of_int8 = trainings(whole_report())
    assert (of_float.title, of_int8.title) == ("Training in float", "Quantization-aware training")
    assert of_float.curves["loss"] == {"train loss": [(1.0, 2.0), (2.0, 1.0)]}
    assert of_int8.curves["loss"] == {"train loss": [(1.0, 0.5)]}
    assert dict(of_float.settings)["epochs"] == 2 and "float_training" not in dict(of_int8.settings)
    assert of_int8.calibration == [{"stage": "extremes", "sqnr_db": 32.26, "is_kept": True}]


def test_no_raw_dict_no_none_and_three_digits_are_on_the_page() -> None:
    text = render(whole_report()).partition("</style>")[2]
    assert "None" not in text and "{'" not in text and "{&#39;" not in text and "(&#39;" not in text
    assert "weight_steps 0.001, betas 0.9, 0.99" in text and "AdamW: betas 0.9, 0.999" in text
    assert "0.0251" in text and "0.025076" not in text and "Cosine" in text


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "none"),
        (True, "yes"),
        (0.6666666, "0.667"),
        ([{"name": "hold", "begins_share": 0.5}], "hold: begins_share 0.5"),
        ("{}", "its defaults"),
        ("(0.9, 0.99)", "0.9, 0.99"),
        ("{not python", " {not python"),
        ("[" * 200, " " + "[" * 200),
    ],
)
def test_a_setting_is_words_and_numbers(value: object, words: str) -> None:
    assert setting(value) == words

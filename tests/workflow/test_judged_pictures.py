"""Int8 is judged on pictures that were kept away, and on crops of them where they are few."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobile_sdk.contract import Contract, ImageSpec, TensorSpec
from mobile_sdk.workflow.tasks.classification import Classification
from mobile_sdk.workflow.tasks.judged_pictures import LEAST_IMAGES, agreement_of, margins, to_judge_on
from mobile_sdk.workflow.tasks.labelled_pictures import load_pictures_of
from qat.calibration.calibration import quantize
from qat.data.crops import with_crops
from qat.data.picture_set import PictureSet
from qat.data.sources import whole_of
from tests.support import tiny_nets
from tests.support.pictures.phone_photographs import noise, photograph

SPEC = ImageSpec(size_px=16)
LABELS = tiny_nets.LABELS


def photographs(folder: Path, count: int) -> Path:
    for number in range(count):
        shade = Image.new("RGB", (48, 36), (20 * number, 128, 255 - 20 * number))
        photograph(folder / f"{number}.png", Image.blend(noise(48, 36), shade, 0.3), 1 + number % 8)
    return folder


def in_memory(count: int) -> PictureSet:
    random = np.random.default_rng(0)
    sources = tuple(random.integers(0, 256, (24, 24, 3), np.uint8) for _ in range(count))
    return PictureSet(sources=sources, targets=(-1,) * count)


@pytest.mark.parametrize(
    ("count", "held_out"), [(2, 1), (3, 1), (5, 1), (6, 2), (9, 3), (10, 3), (16, 3), (18, 4), (100, 20)]
)
def test_a_fifth_of_pictures_without_labels_is_held_out_and_three_of_ten(
    tmp_path: Path, count: int, held_out: int
) -> None:
    for number in range(count):
        Image.new("L", (8, 8)).save(tmp_path / f"{number}.png")
    found = load_pictures_of(Contract(name="n", labels=LABELS, image=SPEC), str(tmp_path))
    assert (len(found.train), len(found.validation), found.kept_away) == (count - held_out, held_out, True)


@pytest.mark.parametrize("count", [2, 10, 16])
def test_no_judged_crop_comes_from_a_picture_that_is_calibrated_on(tmp_path: Path, count: int) -> None:
    found = load_pictures_of(Contract(name="n", labels=LABELS, image=SPEC), str(photographs(tmp_path, count)))
    judged = to_judge_on(found.validation, SPEC)
    assert len(judged) == LEAST_IMAGES
    assert {whole_of(source) for source in judged.sources} == set(found.validation.sources)
    assert not {whole_of(source) for source in judged.sources} & set(found.train.sources)


def test_a_single_picture_is_judged_by_other_crops_than_calibration_makes() -> None:
    picture = in_memory(1)
    judged, calibrated = to_judge_on(picture, SPEC).bytes(SPEC), with_crops(picture, SPEC, LEAST_IMAGES).bytes(SPEC)
    assert not np.array_equal(judged[1:], calibrated[1:])


def test_a_hundred_pictures_count_once_each_and_arrays_as_they_are() -> None:
    many = in_memory(LEAST_IMAGES)
    assert to_judge_on(many, SPEC) is many
    tensor = TensorSpec(shape=(3, 8, 8), scale=0.1, zero_point=0)
    arrays = PictureSet(sources=(np.zeros((3, 8, 8), np.float32),), targets=(-1,))
    assert to_judge_on(arrays, tensor) is arrays


def test_a_margin_is_the_first_probability_less_the_second() -> None:
    logits = np.log(np.array([[0.7, 0.1, 0.2], [0.4, 0.4, 0.2], [0.05, 0.35, 0.6]]))
    assert margins(logits) == pytest.approx([0.5, 0.0, 0.25])
    assert np.isnan(margins(np.array([[np.nan, 0.0]]))).all()
    assert margins(np.array([[1e30, 0.0, -1e30]])) == pytest.approx([1.0])


def test_changed_winners_are_clear_where_the_float_net_was_sure_of_its_own() -> None:
    pictures = in_memory(4)
    wanted = np.log(np.array([[0.54, 0.46], [0.9, 0.1], [0.2, 0.8], [0.47, 0.53]]))
    found = np.array([[0.0, 1.0], [0.0, 1.0], [0.0, 1.0], [np.nan, 1.0]])
    agreement = agreement_of(found, wanted, pictures, whole_images=4)
    assert agreement.changed is not None and agreement.interval is not None
    assert (agreement.changed.images, agreement.changed.clear, agreement.changed.margin_share) == (3, 1, 0.1)
    assert agreement.top1_agreement == 0.25 and agreement.interval.low < 0.25 < agreement.interval.high


def test_an_interval_of_crops_counts_pictures_not_crops() -> None:
    few, many = (to_judge_on(in_memory(count), SPEC) for count in (2, LEAST_IMAGES))
    scores = np.tile([1.0, 0.0], (LEAST_IMAGES, 1))
    lows = []
    for judged, whole in ((few, 2), (many, LEAST_IMAGES)):
        interval = agreement_of(scores, scores, judged, whole_images=whole).interval
        assert interval is not None and interval.high == 1.0
        lows.append(interval.low)
    assert lows[0] < 0.82 < 0.96 < lows[1]


def test_accuracy_is_that_of_whole_pictures_and_agreement_that_of_crops_too() -> None:
    net = tiny_nets.body(lambda self, x: x.relu())
    pictures = in_memory(12)
    program = quantize(net, tiny_nets.CONTRACT, pictures, progress=False)
    labelled = PictureSet(sources=pictures.sources, targets=(0, 1, 2, 3) * 3)
    fields = Classification().judged(net, program, labelled)
    assert (fields["agreement"].images, fields["agreement"].whole_images) == (LEAST_IMAGES, 12)
    for name in ("float_quality", "reference_quality"):
        assert fields[name].images == 12
        assert (12 * fields[name].value) == round(12 * fields[name].value)
    assert fields["agreement"].sqnr_db > 20

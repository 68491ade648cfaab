"""The record of chosen bits: a digest holds it, and records without it are as they were."""

import json

import pytest
from pydantic import ValidationError

from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.errors import SettingError
from mobile_sdk.program.earlier_documents import digest_texts
from mobile_sdk.program.record import BitAllocation, FrontierPoint, Record

CONTRACT = Contract(name="c", labels=("a", "b"), image=ImageSpec(size_px=32))
FRONTIER = (
    FrontierPoint(weight_bytes=200, predicted_db=30.0, measured_db=30.0),
    FrontierPoint(layer="quiet", weight_bytes=150, noise_share=0.001, predicted_db=27.0),
    FrontierPoint(layer="loud", weight_bytes=100, noise_share=0.1, predicted_db=9.9),
)
CHOICE = BitAllocation(min_db=20.0, images=24, frontier=FRONTIER, chosen=1)
BEFORE = (
    '{"max_mib":null,"min_db":20.0,"images":24,"frontier":[{"weight_bytes":200,"noise_share":0.0,"predicted_db":30.0,'
    '"measured_db":30.0},{"layer":"quiet","weight_bytes":150,"noise_share":0.001,"predicted_db":27.0},{"layer":"loud",'
    '"weight_bytes":100,"noise_share":0.1,"predicted_db":9.9}],"chosen":1}'
)


def record(choice: BitAllocation | None) -> Record:
    return Record(net="n", quantized="calibrated", bit_allocation=choice)


def test_layers_up_to_the_chosen_point_have_four_bits() -> None:
    assert CHOICE.bits == {"quiet": 4, "loud": 8} and CHOICE.point is FRONTIER[1]


def test_a_record_is_read_as_it_was_written_and_one_without_chosen_bits_does_not_mention_them() -> None:
    assert Record.model_validate_json(record(CHOICE).model_dump_json()) == record(CHOICE)
    assert "bit_allocation" not in record(None).model_dump_json()
    assert "bit_allocation" not in digest_texts(CONTRACT, record(None))[1]


def test_every_choice_has_a_digest_of_its_own() -> None:
    others = [None, CHOICE, *(CHOICE.model_copy(update=each) for each in ({"chosen": 2}, {"frontier": FRONTIER[:2]}))]
    assert len({digest_texts(CONTRACT, record(each))[1] for each in others}) == len(others)


def test_a_file_whose_choice_lies_off_the_frontier_is_refused() -> None:
    content = json.loads(record(CHOICE).model_dump_json())
    content["bit_allocation"]["chosen"] = 3
    with pytest.raises(ValidationError, match="one of 3 points of the frontier"):
        Record.model_validate_json(json.dumps(content))


def test_a_choice_without_layers_in_float_is_written_as_before_they_were_known() -> None:
    assert CHOICE.model_dump_json() == BEFORE
    assert BitAllocation.model_validate_json(BEFORE) == CHOICE


def test_points_before_eight_bits_keep_their_layers_in_float() -> None:
    kept = (
        FrontierPoint(layer="hushed", weight_bytes=500, noise_share=0.0001, predicted_db=31.0),
        FrontierPoint(layer="loud", weight_bytes=350, noise_share=0.0001, predicted_db=30.5),
    )
    for chosen, in_float, bits in (
        (0, ("loud", "hushed"), {"quiet": 8}),
        (1, ("loud",), {"quiet": 8}),
        (2, (), {"quiet": 8, "loud": 8}),
        (3, (), {"quiet": 4, "loud": 8}),
        (4, (), {"quiet": 4, "loud": 4}),
    ):
        found = BitAllocation(min_accuracy=0.9, images=24, accuracy_images=9, frontier=kept + FRONTIER, chosen=chosen)
        assert found.in_float == in_float and found.bits == bits and found.int8_point is FRONTIER[0]
        assert Record.model_validate_json(record(found).model_dump_json()) == record(found)


@pytest.mark.parametrize("frontier", [FRONTIER[1:], (FRONTIER[0], *FRONTIER)])
def test_a_frontier_without_one_point_of_eight_bits_is_refused(frontier: tuple[FrontierPoint, ...]) -> None:
    with pytest.raises(SettingError, match="expected one point of the frontier without a layer"):
        BitAllocation(min_db=20.0, images=24, frontier=frontier, chosen=1)

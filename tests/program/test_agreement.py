"""A record says how near int8 comes to the float net, in fields and in lines."""

import json

import pytest

from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.program.agreement import (
    Agreement,
    ChangedWinners,
    OutputNoise,
    ShareInterval,
    agreement_lines,
    compared_on,
)
from mobile_sdk.program.earlier_documents import digest_texts
from mobile_sdk.program.record import Record

INTERVAL = ShareInterval(low=0.921, high=0.9949, coverage_share=0.95)
CHANGED = ChangedWinners(images=2, clear=1, margin_share=0.1)
CONTRACT = Contract(name="n", labels=("a", "b"), image=ImageSpec())
EARLIER = '{"top1_agreement":0.98,"sqnr_db":24.08,"images":100}'


def agreement(**fields: object) -> Agreement:
    given = {"top1_agreement": 0.98, "sqnr_db": 24.08, "images": 100, "whole_images": 3, **fields}
    return Agreement(**{"interval": INTERVAL, "changed": CHANGED, **given})


def test_two_lines_say_on_what_int8_was_judged_how_near_it_comes_and_which_changes_matter() -> None:
    assert agreement_lines(agreement()) == [
        "int8 reference and float net agree on 98.00% (95 %: 92.1–99.5 %) of 3 held-out pictures and 97 crops of them",
        "scores at 24.1 dB SQNR of the float net's; of 2 changed winners 1 had a margin above 10 % in float",
    ]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"images": 1000, "whole_images": 1000}, "1,000 held-out pictures"),
        ({"images": 2, "whole_images": None}, "2 held-out pictures"),
        ({"whole_images": 1}, "1 held-out picture and 99 crops of it"),
        (
            {"whole_images": 1, "kept_away": False},
            "1 picture and 99 crops of it, which int8 was calibrated on: nothing was kept away",
        ),
    ],
)
def test_pictures_and_crops_are_counted_apart(fields: dict[str, int], said: str) -> None:
    assert compared_on(agreement(**fields)) == said


def test_arrays_are_called_arrays() -> None:
    noise = OutputNoise(name="y", sqnr_db=None, largest_difference=0.0, images=4, whole_images=4)
    assert compared_on(noise, "array") == "4 held-out arrays"


@pytest.mark.parametrize(
    ("images", "clear", "said"),
    [
        (0, 0, "no winner changed"),
        (1, 0, "of 1 changed winner none had a margin above 10 % in float"),
        (1200, 1100, "of 1,200 changed winners 1,100 had a margin above 10 % in float"),
    ],
)
def test_changed_winners_are_counted(images: int, clear: int, said: str) -> None:
    changed = ChangedWinners(images=images, clear=clear, margin_share=0.1)
    assert agreement_lines(agreement(changed=changed))[1].endswith(f"; {said}")


def test_one_or_two_pictures_say_that_they_say_little() -> None:
    lines = [agreement_lines(agreement(whole_images=count))[2:] for count in (1, 2, 3)]
    assert lines == [
        ["1 picture says little of others: give ten pictures or more"],
        ["2 pictures say little of others: give ten pictures or more"],
        [],
    ]


def test_an_earlier_agreement_is_read_written_and_said_as_it_was() -> None:
    read = Agreement.model_validate_json(EARLIER)
    assert read.model_dump_json() == EARLIER
    assert agreement_lines(read) == [
        "int8 reference and float net agree on 98.00% of 100 held-out pictures",
        "scores at 24.1 dB SQNR of the float net's",
    ]


def test_a_digest_of_an_earlier_record_stays_and_every_new_field_is_part_of_one() -> None:
    def text(found: Agreement | None, *outputs: OutputNoise) -> str:
        return digest_texts(CONTRACT, Record(net="n", quantized="qat", agreement=found, outputs=outputs))[1]

    earlier = json.loads(text(Agreement.model_validate_json(EARLIER)))["agreement"]
    assert earlier == {"top1_share": 0.98, "sqnr_db": 24.08, "pictures": 100}
    noise = {"name": "y", "sqnr_db": 30.0, "largest_difference": 0.5, "images": 4}
    assert (
        text(None, OutputNoise(**noise)).count('{"name":"y","sqnr_db":30.0,"largest_difference":0.5,"images":4}') == 1
    )
    others = [{"whole_images": 4}, {"kept_away": False}, {"interval": None}, {"changed": None}, {}]
    assert len({text(agreement(**fields)) for fields in others}) == len(others)

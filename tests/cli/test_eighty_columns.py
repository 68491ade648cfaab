"""A terminal of 80 columns shows everything: no cell is cut, and no name or command is broken in two."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from mobile_sdk.cli.app import EXAMPLES, app, call
from mobile_sdk.cli.deployment.report import show_report
from mobile_sdk.cli.tables import show_table, show_text
from mobile_sdk.devices.doctor import checks
from qat.nets.listing import as_json
from tests.support.command_line import COMMAND, ENVIRONMENT, SmallRun, in_terminal
from tests.support.made_up_report import report
from tests.support.repository import ROOT

Say = Callable[..., str]
PATH = re.compile(r"\S{60,}$")  # a terminal goes on in the next line, and whoever copies gets it whole
STYLE = re.compile(r"\x1b\[[0-9;]*m")
DIGIT = re.compile(r"\d")


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Say:
    """Returns a function that runs a command line, or a function, and returns what a terminal of 80 columns shows."""
    monkeypatch.setenv("COLUMNS", "80")  # which help reads
    monkeypatch.setattr("mobile_sdk.cli.tables.terminal_width", lambda: 80)
    monkeypatch.setenv("NO_COLOR", "1")

    def say(*arguments: str, code: int = 0) -> str:
        assert call(arguments) == code, capsys.readouterr().err
        return fitting(capsys.readouterr().out)

    return say


def fitting(text: str) -> str:
    """Returns the text, all of which fits."""
    text = STYLE.sub("", text)
    wide = [line for line in text.splitlines() if len(line) > 80 and not PATH.search(line)]
    assert not wide
    return "\n".join(line.rstrip() for line in text.splitlines())


def words(text: str) -> set[str]:
    """Returns what stands between spaces."""
    return {word.rstrip(":,;") for word in text.split()}


def test_a_table_that_is_too_wide_has_titles_of_several_lines(said: Say, capsys: pytest.CaptureFixture[str]) -> None:
    show_table(
        ("net", "median ms", "steps apart"), [("a" * 58, "1.234", "0"), ("b", "12.5", "12")], numbers=("median ms",)
    )
    assert fitting(capsys.readouterr().out) == (
        "                                                            median  steps\n"
        "net                                                             ms  apart\n"
        f"{'─' * 73}\n"
        f"{'a' * 58}   1.234  0\n"
        f"b{' ' * 57}    12.5  12\n"
    )


def test_a_table_that_is_wider_still_has_a_block_a_row(said: Say, capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("bundle", "check", "found"), [("b" * 50, "c" * 30, "words " * 15)], prose="found")
    assert fitting(capsys.readouterr().out) == (
        f"{'b' * 50}\n  check  {'c' * 30}\n  found  {'words ' * 11}words\n         words words words\n"
    )


def test_sentences_are_broken_at_spaces_alone(said: Say, capsys: pytest.CaptureFixture[str]) -> None:
    show_text("word " * 14 + "/a-long/path-with/hyphens " + "x" * 90)
    assert capsys.readouterr().out == f"{'word ' * 13}word\n/a-long/path-with/hyphens\n{'x' * 90}\n"


def test_a_real_terminal_of_80_columns_shows_the_nets_without_a_broken_line() -> None:
    environment = {**ENVIRONMENT, "COLUMNS": "80"}
    shown = fitting(in_terminal([*COMMAND, "nets"], environment).replace("\r\n", "\n"))
    assert {"mobilenet_v3_large_minimalistic", "2404.10518"} <= words(shown)


def test_output_that_is_no_terminal_is_as_wide_as_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("a", "b"), [("x" * 200, "y" * 200)])
    show_text("word " * 100)
    rule, *lines = capsys.readouterr().out.splitlines()[1:]
    assert len(rule) == 402 and [len(line) for line in lines] == [402, 0, 499]


@pytest.mark.parametrize("verb", ["", *(verb.__name__ for verb in EXAMPLES)])
def test_help_fits_and_flags_take_no_value(verb: str, said: Say) -> None:
    shown = said(*([verb] if verb else []), "--help")
    command = typer.main.get_command(app)
    options = [name for each in (command.commands[verb] if verb else command).params for name in each.opts]
    assert "<bool>" not in shown and {"--help"} <= words(shown)
    assert {name for name in options if name.startswith("--")} <= {
        word for part in words(shown) for word in part.split(",")
    }


def test_every_net_is_named_whole_and_the_list_is_what_the_nets_are(said: Say) -> None:
    assert (ROOT / "qat" / "nets" / "listing.json").read_text() == as_json() + "\n"
    shown = said("nets")
    rows = {line.split()[0]: line.split()[1:] for line in shown.splitlines() if line[:1].islower()}
    entries = json.loads(as_json())
    assert rows.keys() - {"net", "parameters"} == {entry["name"] for entry in entries}
    assert rows["mobilenet_v3_large_minimalistic"] == ["224", "3.92", "209", "72.3", "1905.02244"]
    assert rows["mobilenet_v3_large_full"] == ["320", "5.01", "613", "22.0", "1801.04381"]


def test_nets_are_listed_without_pytorch(said: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "qat.nets", None)
    assert "mobilenet_v2" in said("nets")


def test_devices_are_named_whole(said: Say) -> None:
    assert {"host", "emulated:cortex-a76", "emulated:cortex-a710", "emulated:max"} <= words(said("devices"))


def test_doctor_shows_names_paths_and_commands_whole(said: Say) -> None:
    shown = said("doctor")
    for finding in checks():
        assert re.search(rf"^{re.escape(finding.name)} +{finding.status} ", shown, re.MULTILINE)
        if finding.status != "ok" and finding.get:
            assert f"\n  {finding.get}\n" in shown + "\n"


def test_the_table_of_a_report_shows_every_figure_and_what_did_not_run(
    said: Say, capsys: pytest.CaptureFixture[str]
) -> None:
    show_report(report())
    assert fitting(capsys.readouterr().out) == (
        "fruit\n"
        "\n"
        "bundle              checks  steps apart  top-1 %  median ms      95 % ms   MiB\n"
        "──────────────────────────────────────────────────────────────────────────────\n"
        "fruit.tflite        pass              2        –      1.508  1.480–1.535  1.18\n"
        "fruit-float.tflite  –                 –        –      4.523  4.441–4.606  1.18\n"
        "fruit.coreml        –                 –        –    not run            –  1.18\n"
        "\n"
        "fruit.tflite: not run: Apple's runtime: this is no Mac\n"
        "fruit.coreml: not run: time: Core ML needs a Mac"
    )


def test_verify_says_what_a_bundle_reaches_in_two_lines(small: SmallRun, tmp_path: Path, said: Say) -> None:
    base = ["verify", small.bundle("tflite"), "--data", small.pictures, "--out", str(tmp_path / "v.json")]
    shown = DIGIT.sub("9", said(*base, "--program", small.program))
    assert shown == (
        "sides.tflite: pass on 9 pictures, 9 steps from the program, top-9 accuracy\n99.99%, 99 of 99 checks passed"
    )
    verbose = said(*base, "--program", small.program, "--verbose")
    assert verbose.count("sides.tflite: pass: ") == 19 and "sides.tflite: pass: steps apart: 0 " in verbose


def test_verify_names_each_check_that_failed(small: SmallRun, tmp_path: Path, said: Say) -> None:
    twin = str(small.folder / "float.pt2")
    options = ["--program", twin, "--data", small.pictures, "--out", str(tmp_path / "v.json")]
    shown = said("verify", small.bundle("tflite"), *options, code=1)
    assert {"quantization.activation_bits.features.0.0", "picture_values"} <= words(shown)
    assert shown.count("sides.tflite: FAIL: ") == 10 and "sides.tflite: FAIL on 6 pictures" in shown


def test_bench_shows_whole_figures(small: SmallRun, tmp_path: Path, said: Say) -> None:
    bundles = [small.bundle("tflite"), small.bundle("tflite", "-float")]
    shown = said("bench", *bundles, "--quick", "--out", str(tmp_path / "bench.json"))
    assert "bundle              median ms" in shown
    for name in ("sides.tflite", "sides-float.tflite"):
        row = next(line for line in shown.splitlines() if line.startswith(f"{name} "))
        assert re.fullmatch(rf"{name} +\d+\.\d{{3}} +\d+\.\d{{3}}–\d+\.\d{{3}}( +\d+\.\d{{3}}){{2}} +\d+\.\d +\d+", row)


def test_inspect_shows_operators_memory_and_the_ten_worst_layers(small: SmallRun, tmp_path: Path, said: Say) -> None:
    assert {"DEPTHWISE_CONV_2D", "FULLY_CONNECTED"} <= words(said("inspect", small.bundle("tflite")))
    assert "digest: " in said("inspect", small.program)
    assert "in + out KiB" in said("inspect", small.program, "--memory")
    ranking = ["inspect", small.program, "--sensitivity", "--data", small.pictures, "--pictures", "4"]
    ranking += ["--plot", str(tmp_path / "layers.svg")]
    shown = said(*ranking)
    assert len(re.findall(r"(?m)^ *\d+ +features|^ *\d+ +classifier|^\d+$", shown)) == 10
    total = re.search(r"the worst 10 of (\d+) layers; --verbose shows all", shown)
    assert total and len(json.loads(said(*ranking, "--json"))["layers"]) == int(total[1])


def test_predict_and_export_name_everything_whole(small: SmallRun, tmp_path: Path, said: Say) -> None:
    assert {"pixel-1", "pixel-4"} <= words(said("predict", "mobilenet_v3_small"))
    shown = said("export", small.program, "--runtime", "LiteRT", "--out", str(tmp_path))
    assert str(tmp_path / "sides.tflite") in words(shown) and "int8" in words(shown)


def test_embed_and_keygen_name_files_whole(
    small: SmallRun, tmp_path: Path, said: Say, capsys: pytest.CaptureFixture[str]
) -> None:
    assert {str(tmp_path / "k.pem"), str(tmp_path / "k.pub.pem")} <= words(said("keygen", str(tmp_path / "k.pem")))
    (tmp_path / "App.xcodeproj").mkdir()
    assert call(["embed", small.bundle("executorch"), "--ios", str(tmp_path)]) == 0
    shown = fitting(capsys.readouterr().out.partition("\nimport ")[0])  # code to copy is as wide as it is
    assert str(tmp_path / "Bundles" / "sides.executorch") in words(shown)

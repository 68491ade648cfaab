"""`mobile-sdk quantize` turns a float net into the int8 program and its float32 twin."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobile_sdk.cli import options
from mobile_sdk.cli.blocks import ContractOptions, ResultOptions, fields_of
from mobile_sdk.cli.chosen_bits import show_chosen_bits
from mobile_sdk.cli.kept_layers import show_change
from mobile_sdk.cli.learning.layer_lists import named_bits, named_layers, named_parts
from mobile_sdk.cli.learning.stages import choose_calibration
from mobile_sdk.cli.tables import show_table, show_text
from mobile_sdk.cli.terminal import quiet, show_json
from mobile_sdk.tasks.class_quality import label_lines
from mobile_sdk.workflow.run_files import PROGRAM, TWIN
from mobile_sdk.workflow.settings import QuantizeSettings
from qat.progress import Shown

if TYPE_CHECKING:
    from mobile_sdk.program.program import Program


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """Names the float net: by its weights, or as the user's own."""

    weights: options.Weights = None
    net: Annotated[
        str | None,
        typer.Option(
            "--net",
            metavar="NAME",
            help="The checkpoint's net: `mobile-sdk nets`; or one of timm or torchvision, where installed: "
            "timm:mobilenetv4_conv_small, torchvision:mobilenet_v3_large.",
        ),
    ] = None
    width: Annotated[float | None, typer.Option("--width", help="The checkpoint's width multiplier. Default: 1.")] = (
        None
    )
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="MODULE:FUNCTION", help="A net of your own: a function that returns it."),
    ] = None
    task: Annotated[
        str,
        typer.Option(
            "--task",
            metavar="NAME",
            help="Of a net of your own: classification; segmentation, a map of scores as large as the picture; or "
            "features, which takes all that it returns as it is (embeddings, keypoints, raw boxes, several heads).",
        ),
    ] = "classification"
    labels: options.Labels = None
    input: options.Input = None


@dataclass(frozen=True, kw_only=True)
class Int8Options:
    """Sets how int8 is calibrated and trained, and which layers stay out of it."""

    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs",
            min=0,
            help="Epochs of training in int8; 0 only calibrates. Default: 3 for classification; 0 for other tasks, and "
            "without data.",
        ),
    ] = None
    calibration: Annotated[
        str | None,
        typer.Option(
            "--calibration",
            metavar="STAGE[,…]",
            help="Stages after the ranges from smallest to largest value (alone: 'extremes'). 'ranges': those that "
            "lose least of the scores. 'equalisation' rescales channels. 'rounding': codes that keep each layer's "
            "output near. 'biases': no layer's mean is shifted. 'reconstruction': all codes and biases tuned together. "
            "One without gain on held-back pictures is undone. Default: all; for detection and segmentation no "
            "'reconstruction', without data no 'ranges': they reach beyond what was seen.",
        ),
    ] = None
    keep_float: options.KeepFloat = None
    weight_bits: options.LayerBits = "8"
    max_mib: options.MaxMib = None
    min_db: options.MinDb = None
    min_accuracy: options.MinAccuracy = None
    split: options.Split = None
    licence: Annotated[
        str | None,
        typer.Option("--licence", metavar="TEXT", help="The model's licence, which its files carry: Apache-2.0 …"),
    ] = None
    tensorboard: options.Tensorboard = False


def quantize(
    data: options.DataOrNone,
    source: SourceOptions,
    int8: Int8Options,
    contract: ContractOptions,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the programs go.")] = Path("runs/quantize"),
    *,
    result: ResultOptions,
) -> None:
    """Turn a net into program.pt2 (int8) and float.pt2 (its float32 twin).

    A net of your own may carry the attributes `image` (an ImageSpec: what its pictures look like), `tensor` (a
    TensorSpec: which arrays it reads) and `labels`.

    Pictures may lie in DIR without labels: int8 is then calibrated on them, or learned from the float net alone.

    A published checkpoint keeps its head, unless pictures have other labels and --labels is not given.
    """
    quiet()
    from mobile_sdk.workflow.quantization import quantize as quantize_net

    asked = QuantizeSettings(
        data=data,
        **fields_of(source, contract),
        epochs=int8.epochs,
        calibration=choose_calibration(data, int8.calibration),
        keep_float=named_layers(int8.keep_float),
        weight_bits=named_bits(int8.weight_bits),
        max_mib=int8.max_mib,
        min_db=int8.min_db,
        min_accuracy=int8.min_accuracy,
        split=named_parts(int8.split),
        licence=int8.licence,
        out=out,
        tensorboard=int8.tensorboard,
        overwrite=result.overwrite,
    )
    _show(quantize_net(asked, progress=Shown.get()), out, result.json)


def _show(program: "Program", out: Path, json: bool) -> None:
    from mobile_sdk.tasks.registry import task_of

    record = program.record
    if json:
        paths = {"program": str(out / PROGRAM), "float_twin": str(out / TWIN), "digest": program.digest()}
        show_json({**paths, **record.model_dump(mode="json")})
    elif task_of(program.contract).has_scores:
        _show_classifier(program, out)
    elif not program.contract.has_labels:
        _show_features(program, out)
    else:
        _show_annotated(program, out)
    if not json:
        show_chosen_bits(record)


def _show_annotated(program: "Program", out: Path) -> None:
    """Shows the measure of a task whose outputs are not scores alone."""
    from mobile_sdk.workflow.tasks import TASKS

    record = program.record
    of_float, of_int8 = record.float_quality, record.reference_quality
    assert of_float is not None and of_int8 is not None
    show_text(
        f"{out / PROGRAM}: int8, {record.quantized}; {TASKS[program.contract.task].measure} of float "
        f"{of_float.value:.2%}, int8 reference {of_int8.value:.2%} on {of_int8.images} held-out pictures"
    )
    _show_lines(label_lines(program.contract.labels, of_int8.by_class))


def _show_features(program: "Program", out: Path) -> None:
    """Shows calibration's stages, and every output beside the float net's."""
    from mobile_sdk.program.agreement import compared_on, few_lines

    record, shapes = program.record, [output.shape for output in program.graph.outputs]
    if stages := record.settings.get("calibration"):
        _show_stages(stages)
    noise = {each.name: each for each in record.outputs}
    rows = []
    for name, shape in zip(program.graph.output_names, shapes, strict=True):
        found = noise.get(name)
        decibels = "–" if found is None else "no noise" if found.sqnr_db is None else f"{found.sqnr_db:.1f}"
        rows.append((name, " × ".join(map(str, shape)), decibels, f"{found.largest_difference:.4g}" if found else "–"))
    columns = ("output", "shape", "SQNR dB", "largest difference")
    show_table(columns, rows, numbers=columns[2:])
    noun, judged = program.contract.input.noun, record.outputs[0] if record.outputs else None
    said = [compared_on(judged, noun), *few_lines(judged, noun)] if judged else ["none"]
    _show_lines([f"{out / PROGRAM}: int8, {record.quantized}; judged on {said[0]}", *said[1:]])
    show_text(f"{out / TWIN}: its float32 twin")


def _show_classifier(program: "Program", out: Path) -> None:
    """Shows calibration's stages, accuracy or agreement, and what kept layers changed."""
    from mobile_sdk.program.agreement import agreement_lines

    record = program.record
    if stages := record.settings.get("calibration"):
        _show_stages(stages)
    if record.agreement is None:
        show_text(f"{out / PROGRAM}: int8, {record.quantized} on {record.settings['calibrated_on']}; judged on none")
        show_text(f"{out / TWIN}: its float32 twin")
        return
    told = "without labels"
    if record.float_quality is not None and record.reference_quality is not None:
        on = f"{record.reference_quality.images:,} held-out pictures"
        told = f"float {record.float_quality.value:.2%}, int8 reference {record.reference_quality.value:.2%} of {on}"
    show_text(f"{out / PROGRAM}: int8, {record.quantized}; {told}")
    _show_lines(agreement_lines(record.agreement, program.contract.input.noun))
    show_text(f"{out / TWIN}: its float32 twin")
    if record.reference_quality:
        _show_lines(label_lines(program.contract.labels, record.reference_quality.by_class))
    show_change(record)


def _show_lines(lines: list[str]) -> None:
    for line in lines:
        show_text(line)


def _show_stages(stages: Any) -> None:
    """Shows what each stage of calibration won on crops of the pictures that it held back, by what it is judged by."""
    from qat.calibration.calibration import SQNR_SAID

    said = {"int8": "all in int8", "activations": "int8 activations alone"}
    rows = [
        (
            row["stage"],
            said[row["judged_by"]],
            "" if row["before_db"] is None else f"{row['before_db']:.1f}",
            f"{row['after_db']:.1f}" if row["is_kept"] else "no gain, undone",
        )
        for row in stages
    ]
    show_table(("calibration", "judged by", "before dB", "after dB"), rows, numbers=("before dB", "after dB"))
    show_text(SQNR_SAID)

"""A whole report with numbers that occur nowhere else, for the tests of the page."""

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from mobile_sdk.benchmarking import measurements
from mobile_sdk.benchmarking.measurements import Measurement, Numbers, Plan, Samples, judge
from mobile_sdk.benchmarking.statistics import ratio, summarize
from mobile_sdk.bundle.manifest import StructureEntry
from mobile_sdk.comparison import Comparison
from mobile_sdk.devices.state import read_state
from mobile_sdk.program.agreement import (
    Agreement,
    ChangedImage,
    ChangedWinners,
    Confusion,
    Decisions,
    ShareInterval,
)
from mobile_sdk.program.record import Record
from mobile_sdk.report.data import (
    BundleLine,
    ChangedPicture,
    Check,
    GoldenPicture,
    Layer,
    PredictedLatency,
    Prediction,
    QualityLine,
    Report,
    Score,
)
from mobile_sdk.system.environment import Environment
from mobile_sdk.tasks.quality import Quality

HOSTILE = "<script>alert('x')</script>\"&amp;$x^2$ \u5b57 [red]"
ENVIRONMENT = Environment(
    date="2026-01-02T03:04:05+00:00",
    processor="A processor",
    features=("avx2",),
    architecture="x86_64",
    cores=2,
    memory_mib=8000,
    system="A system",
    kernel="A kernel",
    governor=None,
    python="3.11.0",
    versions={"numpy": "2.0.0", "torch": "9.8.7"},
)


def png() -> str:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 30, 30)).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def measurement(bundle: str, precision: str, median_ms: float) -> Measurement:
    random = np.random.default_rng(5)
    rounds_ms = tuple(tuple(map(float, median_ms * (1 + 0.01 * random.random(5)))) for _ in range(20))
    summary = summarize(rounds_ms)
    return Measurement(
        bundle=bundle,
        name="fruit",
        runtime="tflite",
        precision=precision,
        model_bytes=1_234_567,
        samples=Samples(
            load_ms=3.21,
            first_run_ms=7.65,
            warm_up_ms=(median_ms,) * 10,
            rewarm_ms=(median_ms,) * 20,
            rounds_ms=rounds_ms,
            peak_mib=12.3,
            seconds=1.0,
        ),
        summary=summary,
        advice=summary.advice,
        not_run=None,
    )


def numbers(max_ms: float | None = 5.0) -> Numbers:
    plan = Plan(max_ms=max_ms)
    fast, slow = measurement("fruit.tflite", "int8", 1.5), measurement("fruit-float.tflite", "float32", 4.5)
    absent = fast.model_copy(
        update={"bundle": "fruit.coreml", "samples": None, "summary": None, "not_run": "Core ML needs a Mac"}
    )
    assert fast.samples and slow.samples
    return Numbers(
        device="host",
        environment=ENVIRONMENT,
        load_average_before=0.25,
        load_average_after=0.75,
        plan=plan,
        measurements=(judge(fast, plan), slow, judge(absent, plan)),
        comparisons=(
            measurements.Comparison(
                bundle="fruit.tflite",
                twin="fruit-float.tflite",
                runtime="tflite",
                ratio=ratio(fast.samples.rounds_ms, slow.samples.rounds_ms),
            ),
        ),
    )


def device_numbers() -> Numbers:
    """Returns such figures for a phone that got hot."""
    cool = read_state("machine=aarch64\nkernel=Linux 4.14\nro.soc.model=SM8150\nro.build.version.release=13\n")
    cool = cool.model_copy(update={"temperature_c": 34.5, "battery_share": 0.83, "charger": "discharging"})
    hot = cool.model_copy(update={"temperature_c": 67.8, "thermal_status": 3})
    return numbers().model_copy(update={"device": "adb:8A1X0Q2", "state_before": cool, "state_after": hot})


def report(**changes: Any) -> Report:
    anatomy = StructureEntry(
        operators={"CONV_2D": 17, "ADD": 5},
        partitions=1,
        not_delegated=(("MYSTERY_OP", "nobody knows it"),),
        int8_weight_share=0.9876,
        float_convolutions=3,
        bytes_by_part={"weights": 1_000_000, "biases": 20_000},
    )
    whole = Report(
        name="fruit",
        date="2026-01-02T03:04:05+00:00",
        program_sha256="ab" * 32,
        labels=3,
        size_px=96,
        record=Record(
            net="mobilenet_v2",
            quantized="qat",
            agreement=Agreement(
                top1_agreement=0.96,
                sqnr_db=24.08,
                images=100,
                whole_images=3,
                interval=ShareInterval(low=0.8127, high=0.9927, coverage_share=0.95),
                changed=ChangedWinners(images=4, clear=1, margin_share=0.1),
            ),
            history=(
                {"stage": "float", "epoch": 1, "train_loss": 2.0, "validation_accuracy": 0.5},
                {"stage": "float", "epoch": 2, "train_loss": 1.0, "validation_accuracy": 0.75},
                {"stage": "qat", "epoch": 1, "train_loss": 0.5, "validation_accuracy": 0.875},
            ),
            settings={"learning_rate": 0.045, "augment": True},
        ),
        qualities=(
            QualityLine(computed_by="float32 net", quality=Quality(measure="top-1 accuracy", value=0.981, images=1000)),
            QualityLine(
                computed_by="int8 reference", quality=Quality(measure="top-1 accuracy", value=0.979, images=1000)
            ),
        ),
        bundles=(
            BundleLine(
                title="fruit.tflite",
                bundle="fruit.tflite",
                outcome="pass",
                runtime="tflite",
                precision="int8",
                model_bytes=1_234_567,
                activation_limit_kib=1735,
                checks=(
                    Check(name="exact", outcome="pass", found="0 of 10,000 differ"),
                    Check(name="Apple's runtime", outcome="not_run", found="this is no Mac"),
                ),
                distance=Comparison(
                    not_finite=0,
                    elements=10_000,
                    differing=412,
                    max_steps=2,
                    mean_abs_steps=0.0443,
                    sqnr_db=41.23,
                    top1_agreement=0.999,
                ),
                anatomy=anatomy,
            ),
        ),
        layers=tuple(Layer(tensor=f"t{n}", module=f"features.{n}", sqnr_db=40.0 - n) for n in range(12)),
        golden=(
            GoldenPicture(
                png_base64=png(),
                title="golden/0.png",
                label="apple",
                answers=(
                    Prediction(
                        computed_by="reference",
                        scores=(Score(label="apple", share=0.9012), Score(label="pear", share=0.0618)),
                    ),
                ),
            ),
        ),
        predicted=(
            PredictedLatency(
                bundle="fruit.tflite",
                device="a phone",
                runtime="tflite-2031",
                predicted_ms=2.468,
                measured_ms=2.0,
                rests_on="17 published",
            ),
        ),
        numbers=numbers(),
        environment=ENVIRONMENT,
        commands=("mobile-sdk run --net mobilenet_v2",),
    )
    return whole.model_copy(update=changes)


LABEL_NAMES = ("apple", "pear", "an apricot from the garden")
DECISIONS = Decisions(
    images=(40, 30, 30),
    of_float=(Confusion(label=0, found=1, images=4),),
    of_int8=(Confusion(label=0, found=1, images=7), Confusion(label=2, found=0, images=2)),
    changed=(ChangedImage(position=17, label=0, float_label=0, float_share=0.5134, int8_label=1, int8_share=0.4876),),
)


def whole_report(bundles: int = 5, **changes: Any) -> Report:
    """Returns such a report with everything that a run of a classifier has, and as many bundles."""
    made = report()
    assert made.record is not None
    accuracies = {"float_quality": (0.9, 1.0, 1.0), "reference_quality": (0.825, 1.0, 0.9333)}
    qualities = {
        name: Quality(measure="top-1 accuracy", value=0.9, images=100, by_class=shares)
        for name, shares in accuracies.items()
    }
    settings = {
        "float_training": {"epochs": 2, "optimizer": {"kind": "AdamW", "betas": [0.9, 0.999]}},
        "optimizer": "{'weight_steps': 0.001, 'betas': (0.9, 0.99)}",
        "learning_rate": 0.025076258927583694,
        "schedule": {"kind": "Cosine"},
        "ema_decay": None,
        "calibration": [{"stage": "extremes", "sqnr_db": 32.26, "is_kept": True}],
    }
    record = made.record.model_copy(update={"decisions": DECISIONS, "settings": settings, **qualities})
    lines = tuple(
        made.bundles[0].model_copy(update={"title": name, "bundle": name})
        for name in (f"fruit-{number}-of-the-garden.executorch" for number in range(bundles))
    )
    changed = (ChangedPicture(position=17, png_base64=png()),)
    update = {"label_names": LABEL_NAMES, "record": record, "bundles": lines, "changed": changed, **changes}
    return made.model_copy(update=update)

"""Trains SSDLite on pictures with boxes in COCO's layout, quantizes it, and draws what the phone will find.

python examples/detect_coco.py --data street/       # annotations/instances_train2017.json, train2017/ …
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import mobile_sdk as sdk
import qat


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the arguments and goes the whole way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a folder in COCO's layout")
    parser.add_argument("--epochs", type=int, default=60, help="default: %(default)s")
    parser.add_argument("--width", type=float, default=1.0, help="of the backbone. default: %(default)s")
    parser.add_argument("--size", type=int, default=320, help="pixels a side. default: %(default)s")
    parser.add_argument("--out", type=Path, default=Path("runs/street"), help="default: %(default)s")
    given = parser.parse_args(arguments)

    pictures = qat.load_coco_folder(given.data)
    print(f"1. {len(pictures.train)} pictures to learn from, {len(pictures.validation)} held out: {pictures.labels}")
    contract = sdk.Contract(
        name="street",
        task="detection",
        labels=pictures.labels,
        image=sdk.ImageSpec(size_px=given.size, fit="stretch"),
        detection=sdk.DetectionSpec(score_threshold=0.3),
    )
    net = qat.build_detector("mobilenet_v3_small", contract, width=given.width)
    qat.fit_detector(net, pictures, qat.TrainPlan.detector(epochs=given.epochs))
    print(f"2. float: {qat.evaluate_detector(net, pictures)}")

    plan = qat.CalibrationPlan(reconstruct=False)  # as the command line has it for detectors
    program = qat.quantize(net, contract, pictures.train.pictures, plan)
    program.save(given.out / "program.pt2")
    (bundle,) = sdk.lower(program, given.out / "bundles", runtimes="tflite", pictures=pictures.validation)
    verdict = sdk.verify(bundle, program, pictures)
    print(f"3. {verdict}\n   {verdict.quality}")
    assert verdict

    picture, _ = pictures.validation.pictures[0]
    print(f"4. in the first held-out picture: {bundle.predict(picture)}")


if __name__ == "__main__":
    main()

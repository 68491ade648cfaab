"""Quantizes torchvision's MobileNetV2 by photographs without labels, and writes bundles for Android and iOS.

The weights are torchvision's file mobilenet_v2-b0353104.pth. A dozen photographs of what the camera will see will do:

    python examples/quantize_mobilenet_v2.py --weights mobilenet_v2-b0353104.pth --photos camera/
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import mobile_sdk as sdk
import qat
from mobile_sdk.labels.lists import shipped_labels


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the arguments and goes the whole way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True, help="a checkpoint of torchvision's MobileNetV2")
    parser.add_argument("--photos", type=Path, required=True, help="a folder of photographs, without labels")
    parser.add_argument("--out", type=Path, default=Path("runs/mobilenet_v2"), help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="only the ranges' extremes: seconds, and more noise")
    given = parser.parse_args(arguments)

    print("1. the net, with its weights and the form of image that they were trained on")
    contract = sdk.Contract(name="camera", labels=shipped_labels("imagenet"), image=sdk.ImageSpec.torchvision())
    net = qat.build_net("mobilenet_v2", contract)
    print(qat.load_weights(net, given.weights))

    print("2. its int8 program, calibrated on the photographs")
    photos = qat.load_unlabelled(given.photos)
    plan = qat.CalibrationPlan.extremes() if given.quick else qat.CalibrationPlan()
    program = qat.quantize(net, contract, photos, plan)
    program.save(given.out / "program.pt2")

    print("3. a bundle for each runtime, each held to the program in every score")
    bundles = sdk.lower(program, given.out / "bundles", runtimes=("tflite", "executorch"), pictures=photos)
    for bundle in bundles:
        verdict = sdk.verify(bundle, program, photos)
        print(verdict)
        assert verdict
        print(f"{bundle.path}  {bundle.model_bytes / 2**20:.2f} MiB")


if __name__ == "__main__":
    main()

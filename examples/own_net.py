"""Trains a net of one's own in float, then in int8 (quantization-aware training), and writes its bundles.

python examples/own_net.py --photos photos/       # a folder for each label
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor, nn

import mobile_sdk as sdk
import qat


class Block(nn.Module):
    """Adds what a depthwise and a 1×1 convolution make of a map (N, channels, H, W) to the map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(2))
        self.activation = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        """Returns the map, as large as it was."""
        inner = self.activation(self.norms[0](self.depthwise(x)))
        return x + self.norms[1](self.pointwise(inner))


def build(labels: int) -> nn.Module:
    """Returns the net, for images (N, 3, 64, 64)."""
    stem = nn.Sequential(nn.Conv2d(3, 24, 3, 4, 1, bias=False), nn.BatchNorm2d(24), nn.SiLU())
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, labels))
    return nn.Sequential(stem, Block(24), Block(24), head)


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the arguments and goes the whole way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="a folder for each label")
    parser.add_argument(
        "--epochs", type=int, default=20, help="in float; a fifth of them in int8. default: %(default)s"
    )
    parser.add_argument("--batch", type=int, default=32, help="default: %(default)s")
    parser.add_argument("--out", type=Path, default=Path("runs/own"), help="default: %(default)s")
    given = parser.parse_args(arguments)

    pictures = qat.load_folder(given.photos)
    contract = sdk.Contract(name="own", labels=pictures.labels, image=sdk.ImageSpec(size_px=64))
    net = build(len(pictures.labels))

    print("1. float training")
    qat.fit(net, pictures, qat.TrainPlan(epochs=given.epochs, batch=given.batch), contract=contract)

    print("2. int8 training: it starts from the calibrated net and learns from the float net")
    student = qat.prepare(net, contract)
    qat.calibrate(student, pictures, qat.CalibrationPlan(reconstruct=False))  # training takes its place
    epochs = max(1, given.epochs // 5)
    qat.fit(student, pictures, replace(qat.TrainPlan.distil(epochs=epochs), batch=given.batch), teacher=net)
    for name, each in (("float", net), ("int8", student)):
        print(f"{name}: {qat.evaluate(each, pictures, contract):.1%} of held-out images")

    print("3. program, bundles, verdicts")
    program = qat.freeze(student, contract)
    program.save(given.out / "program.pt2")
    bundles = sdk.lower(program, given.out / "bundles", runtimes=("tflite", "executorch"), pictures=pictures.validation)
    verdicts = [sdk.verify(bundle, program, pictures) for bundle in bundles]
    sdk.write_report(
        given.out / "report.html", verdicts, program=program, bundles=bundles, pictures=pictures.validation
    )
    assert all(verdicts)
    print(given.out / "report.html")


if __name__ == "__main__":
    main()

"""Searches a net for a latency on a phone that is not here, then quantizes what was found.

The latency is predicted for the phone; candidates are trained side by side on Ray (pip install '.[search]'):

    python examples/search.py --data photos/ --device pixel-6 --share 0.7
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import mobile_sdk as sdk
from mobile_sdk.workflow.search.latency_search import search
from mobile_sdk.workflow.search.settings import SearchSettings


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the arguments and goes the whole way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits", help="a folder for each label, or the built-in digits")
    parser.add_argument("--device", default="pixel-1", help="whose latency counts. default: %(default)s")
    parser.add_argument("--share", type=float, default=0.7, help="of the start net's latency. default: %(default)s")
    parser.add_argument("--width", type=float, default=1.0, help="of the start net. default: %(default)s")
    parser.add_argument("--steps", type=int, default=50, help="of training for each proposal. default: %(default)s")
    parser.add_argument("--epochs", type=int, help="of the start net and of the result. default: the recipe's")
    parser.add_argument("--out", type=Path, default=Path("runs/search"), help="default: %(default)s")
    given = parser.parse_args(arguments)

    asked = SearchSettings(
        data=given.data,
        device=given.device,
        width=given.width,
        target_share=given.share,
        step_share=0.03,
        steps=given.steps,
        epochs=given.epochs,
        out=given.out,
    )
    result = search(asked).record.result
    assert result is not None
    print(
        f"found: {result.latency_ms:.3f} ms on {given.device}, target {result.target_ms:.3f} ms, met: {result.is_met}"
    )

    settings = sdk.RunSettings(
        data=given.data, weights=given.out / "net.safetensors", epochs=0, qat_epochs=0, out=given.out / "int8"
    )
    done = sdk.run(settings)
    print(done.folder / "report.html")
    assert done.passed


if __name__ == "__main__":
    main()

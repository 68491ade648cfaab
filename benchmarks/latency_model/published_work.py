"""Counts the work of every net that has a published latency, from the nets themselves.

Run: python -m benchmarks.latency_model.published_work

It writes mobile_sdk/latency/data/published_work.csv, which the latency model is fitted with: that saves
`mobile-sdk predict` two minutes.
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import mobile_sdk.latency
from benchmarks.latency_model.multi_hardware import BLOCKS, multi_hardware_graph
from mobile_sdk.cli.terminal import quiet
from mobile_sdk.contract import Contract, ImageSpec
from mobile_sdk.latency.published import PublishedNet, published_rows
from mobile_sdk.latency.work import AMOUNTS, Work, count_work
from mobile_sdk.system.atomic_files import write_text
from qat.freezing.shapes_only import untrained_graph
from qat.nets import build_net

FILE = Path(mobile_sdk.latency.__file__).parent / "data" / "published_work.csv"
CLASSES = 1000


def work_of(net: PublishedNet, *, is_int8: bool) -> Work:
    """Returns the work of one run of `net` on a picture, with ImageNet's classes."""
    if net.name in BLOCKS:
        return count_work(multi_hardware_graph(net.name, width=net.width, size_px=net.size_px, classes=CLASSES))
    contract = Contract(name=net.name, labels=tuple(map(str, range(CLASSES))), image=ImageSpec(size_px=net.size_px))
    built = build_net(net.name, contract, width=net.width, hidden=net.hidden)
    return count_work(untrained_graph(built, contract, is_int8=is_int8))


def lines() -> Iterator[list[str]]:
    """Yields the head, then a line for every net and precision that has a row."""
    yield ["net", "precision", *AMOUNTS]
    wanted = {(row.net, row.setup.precision): None for row in published_rows() if not row.left_out}
    for net, precision in wanted:
        work = work_of(net, is_int8=precision == "int8")
        yield [net.title, precision, *(f"{getattr(work, name):.0f}" for name in AMOUNTS)]


def main() -> None:
    """Counts and writes."""
    quiet()
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines())
    write_text(FILE, text.getvalue())
    print(f"{FILE.name}: {text.getvalue().count(chr(10)) - 1} nets")


if __name__ == "__main__":
    main()

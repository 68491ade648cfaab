"""Names and shapes of layers in state dicts, of which layouts are written down."""

from collections.abc import Iterator

Entries = Iterator[tuple[str, tuple[int, ...]]]

V3_SMALL_BLOCKS = (
    # inputs, kernel, expanded, squeezed (0: no squeeze-and-excite), outputs
    (16, 3, 16, 8, 16),
    (16, 3, 72, 0, 24),
    (24, 3, 88, 0, 24),
    (24, 5, 96, 24, 40),
    (40, 5, 240, 64, 40),
    (40, 5, 240, 64, 40),
    (40, 5, 120, 32, 48),
    (48, 5, 144, 40, 48),
    (48, 5, 288, 72, 96),
    (96, 5, 576, 144, 96),
    (96, 5, 576, 144, 96),
)


def conv_bn(conv: str, norm: str, outputs: int, inputs: int, kernel: int) -> Entries:
    """The entries of one convolution and its batch norm; `inputs` is 1 for a depthwise one."""
    yield f"{conv}.weight", (outputs, inputs, kernel, kernel)
    for entry in ("weight", "bias", "running_mean", "running_var"):
        yield f"{norm}.{entry}", (outputs,)
    yield f"{norm}.num_batches_tracked", ()


def affine(name: str, outputs: int, inputs: int, *kernel: int) -> Entries:
    """The entries of a layer with a bias."""
    yield f"{name}.weight", (outputs, inputs, *kernel)
    yield f"{name}.bias", (outputs,)

"""Converts shapes to those of runtimes: channels last, a batch of one."""

MOST_PARTS = 5  # of one concatenation: XNNConcatenate5, and VisitConcatenationNode of LiteRT's XNNPACK delegate


def runtime_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Returns (1, H, W, C) for (C, H, W), also with more sides, and (1, C) for (C,).

    It returns (1, anchors, columns) for boxes (anchors, columns).
    """
    return (1, *shape) if len(shape) < 3 else (1, *shape[1:], shape[0])

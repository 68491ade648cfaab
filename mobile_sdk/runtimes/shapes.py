"""Shapes as runtimes have them: channels last, a batch of one."""


def runtime_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(C, H, W), or more sides, → (1, H, W, C); (C,) → (1, C); boxes (anchors, columns) → (1, anchors, columns)."""
    return (1, *shape) if len(shape) < 3 else (1, *shape[1:], shape[0])

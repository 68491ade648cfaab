"""What the verbs leave in a run's folder, and how training is told in it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qat.history import Epoch
    from qat.plan import TrainPlan

NET_FILE, PROGRAM, TWIN = "net.safetensors", "program.pt2", "float.pt2"


def stage(name: str, epochs: "tuple[Epoch, ...]") -> tuple[dict[str, Any], ...]:
    """A run's epochs for the record, without their durations: the same training gives the same record, and digest."""
    return tuple(
        {"stage": name, **epoch.model_dump(mode="json", exclude={"duration_s"}, exclude_none=True)} for epoch in epochs
    )


def plan_settings(plan: "TrainPlan") -> dict[str, Any]:
    """The plan as plain JSON, for the record."""
    from dataclasses import asdict

    return {
        key: value if isinstance(value, int | float | str | None) else str(value) for key, value in asdict(plan).items()
    }

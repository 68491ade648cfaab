"""Records the results of a training run, epoch by epoch."""

from dataclasses import dataclass

from mobile_sdk.document import Document
from mobile_sdk.tasks.class_quality import ByClass
from mobile_sdk.tasks.quality import Quality
from qat.progress import duration_text
from qat.training.optimization.phases import FREE


@dataclass(frozen=True, kw_only=True)
class Validation:
    """Holds an epoch's validation results: shares by `Epoch`'s fields, and the measure label by label."""

    shares: dict[str, float | None]
    by_label: ByClass | None = None

    @classmethod
    def of(cls, quality: Quality) -> "Validation":
        """Returns the validation of a task whose quality is measured on all held-out pictures."""
        return cls(shares={"validation_accuracy_share": quality.value}, by_label=quality.by_class)


class Epoch(Document):
    """Records one epoch; `epoch` counts from 1, training figures are of augmented pictures and moving weights.

    Validation uses the averaged weights, if the plan has an average. Values that pictures without labels cannot give
    are None; only such pictures have an agreement: the share of the validation pictures whose top label is the
    teacher's.
    """

    epoch: int
    phases: tuple[str, ...]  # in the order of the epoch's steps
    loss: float
    train_accuracy_share: float | None = None
    validation_accuracy_share: float | None = None
    validation_agreement_share: float | None = None
    learning_rate: float  # at the last step
    duration_s: float

    def line(self, epochs: int, *, pictures: int | None = None, left_s: float | None = None) -> str:
        """Returns one line of news: of how many epochs it is, and if known, how fast, and how long all may still take.

        `pictures` are those of the epoch.
        """
        shares = {
            "train": self.train_accuracy_share,
            "validation": self.validation_accuracy_share,
            "as the teacher": self.validation_agreement_share,
        }
        said = "".join(f", {what} {share:.2%}" for what, share in shares.items() if share is not None)
        speed = f", {pictures / self.duration_s:.0f} pictures/s" if pictures and self.duration_s else ""
        left = f", about {duration_text(left_s)} left" if left_s else ""
        phases = f" ({', '.join(self.phases)})" if self.phases != (FREE.name,) else ""
        took = f"{duration_text(self.duration_s)}{speed}{left}"
        return f"epoch {self.epoch}/{epochs}{phases}: loss {self.loss:.4f}{said}; {took}"


class History(Document):
    """Records a run, epoch by epoch.

    `by_label` is the last epoch's validation result for each label: the share of its pictures that were right, average
    precision at an overlap of a half, or intersection over union; null for a label that no held-out picture shows.
    """

    epochs: tuple[Epoch, ...] = ()
    by_label: ByClass | None = None

    def __repr__(self) -> str:
        """Returns the number of epochs, and the last one's results, in one line."""
        count = len(self.epochs)
        return f"History({count} epochs: {self.epochs[-1].line(count)})" if count else "History(0 epochs)"

    __str__ = __repr__

"""What a run of training gave, epoch by epoch."""

from dataclasses import dataclass

from mobile_sdk.document import Document
from mobile_sdk.tasks.class_quality import ByLabel


@dataclass(frozen=True, kw_only=True)
class Validation:
    """What held-out pictures gave after an epoch: shares by `Epoch`'s fields, and the same measure label by label."""

    shares: dict[str, float | None]
    by_label: ByLabel | None = None


class Epoch(Document):
    """What one epoch gave; `epoch` counts from 1, training figures are of augmented pictures and moving weights.

    Validation is of the averaged weights, where the plan has an average; None is what pictures without labels cannot
    give, and they alone give an agreement: the share of the validation pictures whose winner is the teacher's.
    """

    epoch: int
    phases: tuple[str, ...]  # that it went through
    loss: float
    train_accuracy_share: float | None = None
    validation_accuracy_share: float | None = None
    validation_agreement_share: float | None = None
    learning_rate: float  # of the last step
    duration_s: float

    def line(self, epochs: int) -> str:
        """One line of news; `epochs` is how many the run has."""
        shares = {
            "train": self.train_accuracy_share,
            "validation": self.validation_accuracy_share,
            "as the teacher": self.validation_agreement_share,
        }
        said = "".join(f"{what} {share:.2%}  " for what, share in shares.items() if share is not None)
        return (
            f"epoch {self.epoch}/{epochs} ({', '.join(self.phases)})  loss {self.loss:.4f}  {said}"
            f"rate {self.learning_rate:.2e}  {self.duration_s:.1f} s"
        )


class History(Document):
    """What a run gave, epoch by epoch.

    `by_label` is what the last epoch's validation gave for each label: the share of its pictures that were right,
    average precision at an overlap of a half, or intersection over union; null for one that no held-out picture shows.
    """

    epochs: tuple[Epoch, ...] = ()
    by_label: ByLabel | None = None

    def __repr__(self) -> str:
        """How many epochs there were, and what the last one gave, in one line."""
        count = len(self.epochs)
        return f"History({count} epochs: {self.epochs[-1].line(count)})" if count else "History(0 epochs)"

    __str__ = __repr__

"""Pictures as arguments: those to train on, to calibrate on or to evaluate on; others are refused by name."""

from typing import TypeVar

from mobile_sdk.arguments import described
from mobile_sdk.errors import SettingError
from qat.data.annotated_set import AnnotatedSet
from qat.data.picture_set import PictureSet

Kind = TypeVar("Kind")
_CALIBRATE_HINT = "give qat.load_folder(path), its .train, or qat.load_unlabelled(path)"


def to_calibrate_on(pictures: object) -> PictureSet:
    """The pictures to calibrate on: of pictures in two parts those to learn from, else all of them.

    SettingError where they are no pictures.
    """
    chosen = getattr(pictures, "train", pictures)
    if isinstance(chosen, AnnotatedSet):
        return chosen.pictures
    if not isinstance(chosen, PictureSet):
        raise SettingError(f"expected pictures to calibrate on, found {described(pictures)}", hint=_CALIBRATE_HINT)
    return chosen


def to_judge_by(pictures: object, kind: type[Kind], loader: str) -> Kind:
    """The pictures to evaluate on: of pictures in two parts those held out; SettingError for others than `kind`."""
    chosen = getattr(pictures, "validation", pictures)
    if not isinstance(chosen, kind):
        raise SettingError(
            f"expected a {kind.__name__} to evaluate on, found {described(pictures)}",
            hint=f"give qat.{loader}(path), or its .validation",
        )
    return chosen


def to_learn_from(pictures: object, kind: type, loader: str) -> None:
    """Raises SettingError where pictures to train on are not of that `kind`, which has two parts."""
    if not isinstance(pictures, kind):
        raise SettingError(
            f"expected {kind.__name__}, to learn from and held out, found {described(pictures)}",
            hint=f"give qat.{loader}(path), or make them: {kind.__name__}(train=…, validation=…, labels=…)",
        )

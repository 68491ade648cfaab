"""Takes pictures as arguments, to train on, to calibrate on or to evaluate on, and refuses other types by name."""

from typing import TypeVar

from mobile_sdk.arguments import described
from mobile_sdk.errors import SettingError
from qat.data.annotated_set import AnnotatedSet
from qat.data.picture_set import PictureSet

Kind = TypeVar("Kind")
_CALIBRATE_HINT = "give qat.load_folder(path), its .train, or qat.load_unlabelled(path)"


def to_calibrate_on(pictures: object) -> PictureSet:
    """Returns the pictures to calibrate on: the training part where there are two, else all of them.

    Raises SettingError if the argument holds no pictures.
    """
    chosen = getattr(pictures, "train", pictures)
    if isinstance(chosen, AnnotatedSet):
        return chosen.pictures
    if not isinstance(chosen, PictureSet):
        raise SettingError(f"expected pictures to calibrate on, found {described(pictures)}", hint=_CALIBRATE_HINT)
    return chosen


def to_judge_by(pictures: object, kind: type[Kind], loader: str) -> Kind:
    """Returns the pictures to evaluate on: the validation part where there are two.

    Raises SettingError for another type.
    """
    chosen = getattr(pictures, "validation", pictures)
    if not isinstance(chosen, kind):
        raise SettingError(
            f"expected a {kind.__name__} to evaluate on, found {described(pictures)}",
            hint=f"give qat.{loader}(path), or its .validation",
        )
    return chosen


def to_learn_from(pictures: object, kind: type, loader: str) -> None:
    """Raises SettingError if pictures to train on are not of that `kind`, which has two parts."""
    if not isinstance(pictures, kind):
        raise SettingError(
            f"expected {kind.__name__}, to learn from and held out, found {described(pictures)}",
            hint=f"give qat.{loader}(path), or make them: {kind.__name__}(train=…, validation=…, labels=…)",
        )

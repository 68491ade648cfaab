"""Records how near the int8 reference comes to the float net, on pictures that were kept away, and says it in lines.

Here images are pictures and crops of them: `whole_images` of the `images` are pictures; None, as in earlier files, says
that all are. `kept_away` is False if int8 was calibrated on the same pictures.
"""

from typing import Annotated

from pydantic import Field

from mobile_sdk.contract import Part

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
Images = Annotated[int, Field(ge=1, le=2**31 - 1)]
WholeImages = Annotated[int | None, Field(ge=1, exclude_if=lambda count: count is None)]
_FEW = 3
KeptAway = Annotated[bool, Field(exclude_if=lambda is_kept: is_kept)]


class ShareInterval(Part):
    """Goes from `low` to `high`; `coverage_share` is how often such an interval holds the true share."""

    low: Share
    high: Share
    coverage_share: Share


class ChangedWinners(Part):
    """Counts images whose winner in int8 is another than in float.

    `clear` of them had a margin above `margin_share`: the float net's probability of the first, less that of the
    second. A smaller margin says that the float net hardly told the two apart.
    """

    images: Count
    clear: Count
    margin_share: Share


class Agreement(Part):
    """Holds how near the int8 reference comes to the float net, on held-out images.

    `interval` holds what `top1_agreement` would be on other pictures of the kind; crops of one picture resemble each
    other, and widen it. Earlier files have neither that nor `changed`.
    """

    top1_agreement: Share  # the share of images with equal winners
    sqnr_db: float | None  # of the scores; None without any noise
    images: Images
    whole_images: WholeImages = None
    kept_away: KeptAway = True
    interval: Annotated[ShareInterval | None, Field(exclude_if=lambda interval: interval is None)] = None
    changed: Annotated[ChangedWinners | None, Field(exclude_if=lambda changed: changed is None)] = None


class Confusion(Part):
    """Counts images of one label that were given another; both are indices of the contract's labels."""

    label: Count
    found: Count
    images: Images


class ChangedImage(Part):
    """Describes a held-out image whose winner in int8 is another than in float.

    `position` counts the held-out images from 0, labels are indices of the contract's, and the true one is None if it
    is not known. Shares are the winners' probabilities.
    """

    position: Count
    label: Annotated[Count | None, Field(exclude_if=lambda label: label is None)] = None
    float_label: Count
    float_share: Share
    int8_label: Count
    int8_share: Share


class Decisions(Part):
    """Holds what float net and int8 reference take held-out images for.

    `images` counts those of each label, and is empty if the labels are not known. Confusions are the most frequent
    ones, of few labels all. `changed` are the images with the widest margins in float.
    """

    images: tuple[Count, ...] = ()
    of_float: tuple[Confusion, ...] = ()
    of_int8: tuple[Confusion, ...] = ()
    changed: tuple[ChangedImage, ...] = ()

    def fit(self, labels: int) -> bool:
        """Tells whether they are decisions between so many labels."""
        pairs = [(each.label, each.found) for each in (*self.of_float, *self.of_int8)]
        pairs += [(each.label or 0, max(each.float_label, each.int8_label)) for each in self.changed]
        return len(self.images) in (0, labels) and all(max(pair) < labels for pair in pairs)


class OutputNoise(Part):
    """Holds how near one output of the int8 reference comes to the float net's, on held-out images."""

    name: str
    sqnr_db: float | None  # None without any noise
    largest_difference: Annotated[float, Field(ge=0)]  # of two values, in the output's own unit
    images: Images
    whole_images: WholeImages = None
    kept_away: KeptAway = True


def compared_on(found: Agreement | OutputNoise, noun: str = "picture") -> str:
    """Returns what was compared: "3 held-out pictures and 97 crops of them"; `noun` is what a net reads."""
    count = found.images if found.whole_images is None else found.whole_images
    crops, they = found.images - count, "it" if count == 1 else "them"
    whole = _counted(count, f"held-out {noun}" if found.kept_away else noun)
    text = f"{whole} and {_counted(crops, 'crop')} of {they}" if crops else whole
    return text if found.kept_away else f"{text}, which int8 was calibrated on: nothing was kept away"


def agreement_text(found: Agreement) -> str:
    """Returns the share of equal winners with its interval, as far as that is known: "98.00% (95 %: 92.1–99.5 %)"."""
    text = f"{found.top1_agreement:.2%}"
    if found.interval is None:
        return text
    return f"{text} ({interval_text(found.interval)})"


def interval_text(interval: ShareInterval) -> str:
    """Returns an interval: "95 %: 92.1–99.5 %"."""
    return f"{100 * interval.coverage_share:.0f} %: {100 * interval.low:.1f}–{100 * interval.high:.1f} %"


def sqnr_text(sqnr_db: float | None) -> str:
    """Returns a distance in decibels: "24.1 dB SQNR"."""
    return "no noise" if sqnr_db is None else f"{sqnr_db:.1f} dB SQNR"


def changes_text(found: Agreement) -> str | None:
    """Returns which changed winners matter: "of 4 changed winners 1 had a margin above 10 %"; None if unknown."""
    if found.changed is None:
        return None
    if not found.changed.images:
        return "no winner changed"
    clear = f"{found.changed.clear:,}" if found.changed.clear else "none"
    of_changed = _counted(found.changed.images, "changed winner")
    return f"of {of_changed} {clear} had a margin above {100 * found.changed.margin_share:.0f} % in float"


def agreement_lines(found: Agreement, noun: str = "picture") -> list[str]:
    """Returns the lines that a terminal shows: how near int8 comes, what changed, and how little few pictures say."""
    changes = changes_text(found)
    lines = [
        f"int8 reference and float net agree on {agreement_text(found)} of {compared_on(found, noun)}",
        f"scores at {sqnr_text(found.sqnr_db)} of the float net's{f'; {changes}' if changes else ''}",
    ]
    return [*lines, *few_lines(found, noun)]


def few_lines(found: Agreement | OutputNoise, noun: str = "picture") -> list[str]:
    """Returns a line that says how little one or two pictures say; none for more."""
    count = found.images if found.whole_images is None else found.whole_images
    if count >= _FEW:
        return []
    return [f"{_counted(count, noun)} {'says' if count == 1 else 'say'} little of others: give ten {noun}s or more"]


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"

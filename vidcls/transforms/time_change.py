"""Settings and classes of a training video -> whether it is played backwards, how fast, and its classes then."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from vidcls.transforms.settings import TransformSettings

if TYPE_CHECKING:
    import torch

_STEPS_OF_SPEED = 1000  # in 1, so that places of frames are exact


class TimeChange(NamedTuple):
    """How a clip is played.

    Args:
        is_reversed: backwards.
        speed: so many times as fast, exactly.
    """

    is_reversed: bool = False
    speed: Fraction = Fraction(1)


AS_RECORDED = TimeChange()


def drawn_time_change(settings: TransformSettings, classes: Sequence[str], *, generator: torch.Generator) -> TimeChange:
    """A draw for a video of these classes; what is not asked for draws nothing."""
    import torch  # settings are read before it is imported

    is_reversed, speed = False, Fraction(1)
    if settings.reverse_probability > 0:
        wanted = bool(torch.rand((), generator=generator) < settings.reverse_probability)
        known = _both_ways(settings)
        is_known = bool(classes) and all(name in known for name in classes)  # of none, backwards may be one of some
        is_reversed = wanted and (settings.reverse_others or is_known)
    slowest, fastest = settings.speed_range
    if slowest != 1 or fastest != 1:  # half as fast as likely as twice as fast
        share = float(torch.rand((), generator=generator, dtype=torch.float64))
        factor = math.exp(math.log(slowest) + share * (math.log(fastest) - math.log(slowest)))
        speed = Fraction(max(1, round(factor * _STEPS_OF_SPEED)), _STEPS_OF_SPEED)
    return TimeChange(is_reversed, speed)


def label_after(label: str, settings: TransformSettings, change: TimeChange) -> str:
    """The class of a clip of class ``label`` that is played in this way."""
    if change.is_reversed:
        label = _both_ways(settings).get(label, label)
    if change.speed >= settings.speed_labels_from:
        return settings.speed_labels.get(label, label)
    if change.speed * Fraction(settings.speed_labels_from) <= 1:
        return {fast: slow for slow, fast in settings.speed_labels.items()}.get(label, label)
    return label


def _both_ways(settings: TransformSettings) -> dict[str, str]:
    return {**{after: before for before, after in settings.reverse_labels.items()}, **settings.reverse_labels}

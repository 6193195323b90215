"""Flow values -> how many of them a bound cuts, and the bound that would hold 99.9 % of them.

::

    |v|      0 ........ bound | ... bound * 2**(1/16) | ... bound * 2**(2/16) | ...
    tail     not counted      |        entry 0        |        entry 1        | ...

A vector is two values, x and y, and each counts by itself, since each is cut by itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import get_worker_info

TOLD_SHARE = 0.001
"""More values than this share beyond the bound are told with the bound that would hold the rest, 99.9 %."""
_STEPS_PER_DOUBLING = 16  # so that the advised bound is at most 2**(1/16), 4.4 %, above the smallest that would do
_NUM_STEPS = 20 * _STEPS_PER_DOUBLING  # up to a million times the bound
_FACTORS = 2.0 ** (torch.arange(1, _NUM_STEPS + 1, dtype=torch.float64) / _STEPS_PER_DOUBLING)
_NEARLY_BOUND = 1 - 1 / 512  # above every stored value that is not the bound itself: codes are bound / 127 apart


@dataclass(frozen=True, slots=True)
class Saturation:
    """How many values of some flow a bound cuts.

    Args:
        num_values: values looked at.
        num_saturated: those beyond the bound; where flow was read back, those that are stored as the bound itself,
            since what they were is not known.
        tail: the former by magnitude: entry k counts those above ``bound * 2**(k/16)``, up to the next; zeros at the
            end are left out. None where flow was read back.
    """

    num_values: int = 0
    num_saturated: int = 0
    tail: tuple[int, ...] | None = ()

    @classmethod
    def of(cls, flow: Tensor, bound_px: float) -> Saturation:
        """That of flow of any shape, in pixels, before it is cut."""
        magnitudes = flow.abs()
        beyond = magnitudes[magnitudes > bound_px]
        if not len(beyond):
            return cls(flow.numel())
        steps = torch.bucketize(beyond.double().cpu(), _FACTORS * bound_px)  # up to an edge counts below it
        counts = torch.bincount(steps.clamp_(max=_NUM_STEPS - 1)).tolist()
        return cls(flow.numel(), len(beyond), tuple(counts))

    @classmethod
    def of_stored(cls, flow: Tensor, bound_px: float) -> Saturation:
        """That of flow of any shape, in pixels, which was cut to the bound and perhaps stored in 8 bits."""
        return cls(flow.numel(), int((flow.abs() >= bound_px * _NEARLY_BOUND).sum()), None)

    @classmethod
    def from_plain(cls, plain: Mapping[str, object] | None) -> Saturation | None:
        """The inverse of ``asdict``; None for None. KeyError, TypeError or ValueError where it is none."""
        if plain is None:
            return None
        num_values, num_saturated, tail = plain["num_values"], plain["num_saturated"], plain["tail"]
        if not isinstance(tail, list | tuple | None):
            raise TypeError("the tail of its count of saturated flow values is not a list")
        counts = [num_values, num_saturated, *(tail or ())]
        whole = [n for n in counts if isinstance(n, int) and not isinstance(n, bool) and n >= 0]
        if whole != counts or len(plain) != 3 or whole[1] > whole[0] or len(whole) > 2 + _NUM_STEPS:
            raise ValueError("its count of saturated flow values is not one")
        if tail is not None and sum(whole[2:]) != whole[1]:
            raise ValueError("its count of saturated flow values does not add up")
        return cls(whole[0], whole[1], None if tail is None else tuple(whole[2:]))

    def __add__(self, other: Saturation) -> Saturation:
        """That of both together."""
        tail: tuple[int, ...] | None = None
        if self.tail is not None and other.tail is not None:
            length = max(len(self.tail), len(other.tail))
            padded = [t + (0,) * (length - len(t)) for t in (self.tail, other.tail)]
            tail = tuple(a + b for a, b in zip(*padded, strict=True))
        return Saturation(self.num_values + other.num_values, self.num_saturated + other.num_saturated, tail)

    @property
    def share(self) -> float:
        """Saturated values of all, 0 to 1."""
        return self.num_saturated / self.num_values if self.num_values else 0.0

    @property
    def is_high(self) -> bool:
        """Whether more than 0.1 % are saturated."""
        return self.share > TOLD_SHARE

    def advised_bound(self, bound_px: float) -> float | None:
        """A bound in pixels that holds 99.9 % of the values, at most 4.4 % larger than need be; None where not known.

        Args:
            bound_px: that the values were held against; it is the answer where it does.
        """
        if self.tail is None:
            return None
        allowed = self.num_values * TOLD_SHARE
        if self.num_saturated <= allowed:
            return bound_px
        left = self.num_saturated
        for factor, count in zip(_FACTORS.tolist(), self.tail, strict=False):
            left -= count
            if left <= allowed:
                return bound_px * factor
        raise AssertionError("a tail counts every saturated value")

    def describe(self, bound_px: float) -> str:
        """The share in words, and the advised bound where it is another one."""
        where = "at" if self.tail is None else "beyond"
        words = f"{percent(self.share)} of the flow values are {where} the bound of {bound_px:g} px"
        advised = self.advised_bound(bound_px) if self.is_high else None
        return words if advised is None else f"{words}; a bound of {rounded_up(advised):g} px would hold 99.9 %"


class SaturationTally:
    """Adds up what is seen, in the main process or in loader workers, each of which has a row of shared memory.

    Args:
        num_workers: of the loader.
    """

    def __init__(self, num_workers: int = 0) -> None:
        # values, saturated ones, then the tail; the last row is that of the main process
        self._rows = torch.zeros(num_workers + 1, 2 + _NUM_STEPS, dtype=torch.int64)
        if num_workers:
            self._rows.share_memory_()

    def add(self, seen: Saturation) -> None:
        """Count it; in a loader worker for that worker."""
        worker = get_worker_info()
        row = self._rows[-1 if worker is None else worker.id]
        row[0] += seen.num_values
        row[1] += seen.num_saturated
        if seen.tail:
            row[2 : 2 + len(seen.tail)] += torch.tensor(seen.tail)

    def total(self) -> Saturation:
        """What all have seen so far."""
        num_values, num_saturated, *tail = self._rows.sum(dim=0).tolist()
        last = max((k for k, count in enumerate(tail, start=1) if count), default=0)
        is_known = sum(tail) == num_saturated
        return Saturation(num_values, num_saturated, tuple(tail[:last]) if is_known else None)


class DeviceTally:
    """Adds up how many values of flow on a device are at the bound; nothing waits for it until the total is asked."""

    def __init__(self) -> None:
        self._num_values = 0
        self._num_saturated: Tensor | None = None

    def add(self, flow: Tensor, bound_px: float) -> None:
        """Count flow of any shape, in pixels, that was cut to the bound."""
        found = (flow.detach().abs() >= bound_px * _NEARLY_BOUND).sum()
        self._num_values += flow.numel()
        self._num_saturated = found if self._num_saturated is None else self._num_saturated + found

    def total(self) -> Saturation:
        """What was seen so far; waits for the device."""
        return Saturation(self._num_values, 0 if self._num_saturated is None else int(self._num_saturated), None)


def percent(share: float) -> str:
    """A share of 0 to 1 in percent, with two digits that count."""
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.0f} %"


def rounded_up(bound_px: float) -> float:
    """A bound that is easily typed and no smaller: whole pixels from 10 on, else two digits."""
    digits = 0 if bound_px >= 10 else 1 - math.floor(math.log10(bound_px))
    scale = 10.0**digits
    return math.ceil(bound_px * scale * (1 - 1e-12)) / scale

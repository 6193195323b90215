"""From when to when a sample lasts in its video: a part, in seconds or in frames, and its name in text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

PartUnit = Literal["seconds", "frames"]
PART_COLUMNS: dict[PartUnit, tuple[str, str]] = {"seconds": ("start", "end"), "frames": ("start_frame", "end_frame")}
"""The columns of a table that have start and end."""
_DECIMALS = 6  # microseconds, as containers and `FrameTimes` have them
_NAMES: dict[PartUnit, str] = {"seconds": "t", "frames": "frame"}  # the first as in W3C Media Fragments URI 1.0


@dataclass(frozen=True, slots=True)
class VideoPart:
    """A part of a video: what is shown from ``start`` on and before ``end``.

    In seconds these are the frames with a time stamp of at least ``start`` and below ``end``, counted from the first
    frame; in frames, the frames ``start`` to ``end - 1`` of the file, counted from 0::

        seconds   0    0.5   1.0   1.5   2.0
        frame     0     1     2     3     4
        start 0.5, end 1.5    |-----------|         frames 1 and 2
        start 1, end 3 (frames)                     the same

    Args:
        start: where it begins.
        end: where it ends, itself left out; infinity where it goes on to the end of the video.
        unit: of both.
        frames: the first frame and the one after the last, where they are known, such as of a copy whose clock is
            another than that of the video.
    """

    start: float = 0.0
    end: float = math.inf
    unit: PartUnit = "seconds"
    frames: tuple[int, int] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Round to a microsecond, as names do, and refuse what is no part of any video."""
        for name in ("start", "end"):
            object.__setattr__(self, name, round(float(getattr(self, name)), _DECIMALS))
        if not (math.isfinite(self.start) and not math.isnan(self.end)):
            raise ValueError(f"the part {self.text} is not a number: expected a start and an end in {self.unit}")
        if self.start < 0:
            raise ValueError(f"the part {self.text} begins before the video: times and frames are counted from 0")
        if self.end == self.start:
            raise ValueError(f"the part {self.text} is empty: its end must be after its start")
        if self.end < self.start:
            raise ValueError(f"the part {self.text} is reversed: its end must be after its start")
        if self.unit == "frames" and not (self.start.is_integer() and (self.end.is_integer() or math.isinf(self.end))):
            raise ValueError(
                f"the part {self.text} is not in whole frames: pass whole numbers, or start,end in seconds"
            )

    @property
    def fragment(self) -> str:
        """What follows the name of the video in that of the part: ``#t=1.5,3`` or ``#frame=10,20``.

        >>> VideoPart(1.5, 3).fragment, VideoPart(10, unit="frames").fragment
        ('#t=1.5,3', '#frame=10')
        """
        end = "" if math.isinf(self.end) else f",{number_text(self.end)}"
        return f"#{_NAMES[self.unit]}={number_text(self.start)}{end}"

    @property
    def text(self) -> str:
        """For people: ``from 1.5 to 3 s`` or ``from frame 10 to the end``."""
        unit = " s" if self.unit == "seconds" else ""
        start = f"{number_text(self.start)}{unit}" if math.isinf(self.end) or not unit else number_text(self.start)
        end = "the end" if math.isinf(self.end) else f"{number_text(self.end)}{unit}"
        return f"from {'' if unit else 'frame '}{start} to {end}"

    def overlaps(self, other: VideoPart) -> bool:
        """Whether both, of one video and in one unit, have a moment in common."""
        return self.unit == other.unit and self.start < other.end and other.start < self.end


def number_text(number: float) -> str:
    """A number of seconds or frames in the fewest digits, to a microsecond.

    >>> number_text(3.0), number_text(0.1 + 0.2), number_text(1 / 3)
    ('3', '0.3', '0.333333')
    """
    text = f"{number:.{_DECIMALS}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def part_units(parts: Iterable[VideoPart | None]) -> list[PartUnit]:
    """The units that occur, whose columns a table of these parts has."""
    found = {part.unit for part in parts if part is not None}
    return [unit for unit in PART_COLUMNS if unit in found]


def part_cells(part: VideoPart | None, units: Sequence[PartUnit]) -> list[str]:
    """The cells of a part in the columns of some units; empty for a whole video, and for an end at that of the video.

    >>> part_cells(VideoPart(1.5, 3), ["seconds"]), part_cells(VideoPart(10, unit="frames"), ["seconds", "frames"])
    (['1.5', '3'], ['', '', '10', ''])
    """
    cells: list[str] = []
    for unit in units:
        if part is None or part.unit != unit:
            cells += ["", ""]
        else:
            cells += [number_text(part.start), "" if math.isinf(part.end) else number_text(part.end)]
    return cells


def part_in_cells(cells: Mapping[str, str]) -> VideoPart | None:
    """The part that :func:`part_cells` wrote into the columns of ``cells``.

    Raises:
        ValueError: a cell is not a number, or there is no such part.
    """
    for unit, (start, end) in PART_COLUMNS.items():
        if cells.get(start):
            return VideoPart(float(cells[start]), float(cells[end] or math.inf), unit)
    return None

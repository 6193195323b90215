"""Parts of videos -> columns of an Arrow table, and back; cells of a list -> parts.

A part has ``start`` and ``end`` in seconds or ``start_frame`` and ``end_frame``; the columns are there where a part has
them::

    name      start  end   start_frame  end_frame
    a.mp4     1.5    3.0   null         null         a.mp4#t=1.5,3
    a.mp4     null   null  10           20           a.mp4#frame=10,20
    b.mp4     null   null  null         null         the whole video
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vidcls.errors import DatasetError
from vidcls.video_part import PART_COLUMNS as UNITS
from vidcls.video_part import PartUnit, VideoPart

if TYPE_CHECKING:
    import pyarrow as pa

PART_COLUMNS = tuple(column for pair in UNITS.values() for column in pair)
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:\.\d*)?)")


def columns_of(parts: Sequence[VideoPart | None]) -> dict[str, pa.Array]:
    """The columns of some parts, in which a whole video has nulls; none where all are whole videos."""
    import pyarrow as pa

    columns: dict[str, pa.Array] = {}
    for unit, (start, end) in UNITS.items():
        if any(part is not None and part.unit == unit for part in parts):
            own = [part if part is not None and part.unit == unit else None for part in parts]
            columns[start] = pa.array([None if part is None else part.start for part in own], pa.float64())
            columns[end] = pa.array([None if part is None else part.end for part in own], pa.float64())
    return columns


def part_in(cells: Mapping[str, Any]) -> VideoPart | None:
    """The part of a row of these columns."""
    for unit, (start, end) in UNITS.items():
        if cells.get(start) is not None:
            return VideoPart(cells[start], cells[end], unit)
    return None


def part_of_row(cells: dict[str, str], place: str) -> VideoPart | None:
    """The part that a row of a list means, whose cells are taken from it; errors as of :func:`part_of_cells`."""
    for unit, (start, end) in UNITS.items():
        if start in cells:
            return part_of_cells(cells.pop(start), cells.pop(end), unit, place)
    return None


def parts_of_actions(cell: str, place: str) -> list[tuple[str, VideoPart | None]]:
    """The class and the part of each action of a cell: ``c092 11.90 21.20;c147 0.00 12.60``, as Charades has them.

    >>> [(label, part.fragment) for label, part in parts_of_actions("c092 11.90 21.20;c147 0.00 12.60", "list.csv:2")]
    [('c092', '#t=11.9,21.2'), ('c147', '#t=0,12.6')]
    """
    found = [action.split() for action in cell.split(";") if action.strip()]
    return [(label, part_of_cells(start, end, "seconds", place)) for label, start, end in found]


def part_of_cells(start: str, end: str, unit: PartUnit, place: str) -> VideoPart | None:
    """The part that two cells of a list mean; None where both are empty.

    An empty start is that of the video, an empty end the end of the video. Seconds may be a clock: ``1:02.5``.

    Raises:
        DatasetError: a cell is not a number, or the part is empty, reversed or before the video; names the place.
    """
    if not start and not end:
        return None
    first, last = UNITS[unit]
    try:
        return VideoPart(
            _number(start, unit, first) if start else 0.0, _number(end, unit, last) if end else math.inf, unit
        )
    except ValueError as error:
        raise DatasetError(f"{place}: {error}") from error


def _number(cell: str, unit: PartUnit, column: str) -> float:
    clock = _CLOCK.fullmatch(cell) if unit == "seconds" else None
    if clock is not None:
        return 3600 * int(clock[1] or 0) + 60 * int(clock[2]) + float(clock[3])
    try:
        found = float(cell)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        example = "seconds such as 12.5, or 0:12.5" if unit == "seconds" else "a frame counted from 0, such as 300"
        raise ValueError(f"{column} is {cell!r}: expected {example}")
    return found

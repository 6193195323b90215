"""A header without a column of labels -> the columns that say which classes a video has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from vidcls.class_names import LABEL_SEPARATOR
from vidcls.datasets.label_cells import ABSENT, INTERVALS, THERE
from vidcls.errors import DatasetError

if TYPE_CHECKING:
    from vidcls.datasets.list_layout import Layout

CHARADES = {"path": "id", "label": "actions"}  # Sigurdsson et al.: Hollywood in homes, ECCV 2016
CHARADES_SUFFIX = ".mp4"


def take_classes(
    layout: Layout,
    names: Sequence[str],
    wanted: Mapping[str, str | int],
    place: str,
    cells_of: Callable[[Layout, int], set[str]],
) -> bool:
    """Find the classes of a list without a column of labels, and complete its layout; whether there are any.

    Columns of 0 and 1, two at least, each named after its class, beside a column of paths; where ``label`` is wanted
    as ``walk|wave``, these columns. Or the columns ``id`` and ``actions`` of Charades, where a path has no suffix.

    Args:
        layout: with the columns that were found by name.
        names: of all columns.
        wanted: columns that the user has named.
        place: of the header, for messages.
        cells_of: the different cells of a column.

    Raises:
        DatasetError: a column that is wanted is not there.
    """
    at = {name: number for number, name in enumerate(names)}
    known = set(layout.columns.values())
    named = str(wanted.get("label", "")).split(LABEL_SEPARATOR)
    if len(named) > 1 and "path" in layout.columns:
        if lost := next((name for name in named if name not in at), None):
            raise DatasetError(f"{place}: there is no column {lost}, which columns names as a class; correct the name")
        layout.class_columns = {name: at[name] for name in named}
    elif "path" in layout.columns and "label" not in wanted:
        others = {name: number for name, number in at.items() if number not in known}
        binary = {name: number for name, number in others.items() if _is_binary(cells_of(layout, number))}
        layout.class_columns = binary if len(binary) > 1 else {}
    elif {*CHARADES.values()} <= at.keys() and not wanted:
        layout.columns |= {name: at[own] for name, own in CHARADES.items()}
        take_intervals(layout, names, cells_of)
    if not layout.has_classes:
        return False
    if barred := next((name for name in layout.class_columns if LABEL_SEPARATOR in name), None):
        raise DatasetError(f"{place}: the class {barred!r} contains {LABEL_SEPARATOR}: rename its column")
    taken = {*layout.columns.values(), *layout.class_columns.values()}
    layout.extra = {name: number for name, number in at.items() if number not in taken}
    return True


def take_intervals(layout: Layout, names: Sequence[str], cells_of: Callable[[Layout, int], set[str]]) -> None:
    """Note where a column ``actions`` has classes with their seconds, as Charades has it."""
    at = layout.columns["label"]
    if names[at] == CHARADES["label"] and all(not cell or INTERVALS.fullmatch(cell) for cell in cells_of(layout, at)):
        layout.form, layout.suffix = "intervals", CHARADES_SUFFIX


def _is_binary(cells: set[str]) -> bool:
    return bool(cells) and cells <= {*THERE, *ABSENT}

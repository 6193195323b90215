"""The text of a list of videos -> how it is to be read: separator, header, and which column is what."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from vidcls.datasets.checks import first_few
from vidcls.datasets.class_columns import take_classes, take_intervals
from vidcls.datasets.list_layout import CellsOf, Layout, cells_of_text
from vidcls.datasets.part_columns import PART_COLUMNS, UNITS
from vidcls.datasets.split_words import splits_of
from vidcls.datasets.text_table import COMMA, LAST_BLANK, SEPARATORS, rows
from vidcls.errors import DatasetError
from vidcls.remote import is_address
from vidcls.video_files import is_video

if TYPE_CHECKING:
    from vidcls.remote.places import Place

KNOWN_COLUMNS = ("path", "label", "split", "group", *PART_COLUMNS)
# What others call these; a column of the very name counts more. Names of splits are checked by what is below them.
_ALIASES = {
    "path": (
        "video", "video_path", "videopath", "video_file", "video_name", "videoname", "file", "file_path", "filepath",
        "file_name", "filename", "clip", "clip_path", "clip_name",
    ),
    "label": (
        "class", "class_name", "classname", "class_label", "category", "target", "action", "label_name", "labels",
    ),
    "split": ("subset", "partition", "set", "part"),
}  # fmt: skip
_NAMES = frozenset({*KNOWN_COLUMNS[:4], *(alias for aliases in _ALIASES.values() for alias in aliases)})
HINT = "add a header such as path,label,split, or name the columns: --data.dataset.columns '{path: 0, label: 2}'"
NAMES_HINT = "name the columns: --data.dataset.columns '{path: NAME, label: NAME}'"

Columns = Mapping[str, str | int]


def layout_of(
    text: str, file: Place, root: str, wanted: Columns | None = None, *, cells_of: CellsOf | None = None
) -> Layout:
    """How the list is to be read.

    Args:
        text: of the file.
        file: its path.
        root: the folder that paths are relative to.
        wanted: the columns by name, or by position from 0 where there is no header; those left out are found by name.
        cells_of: the different cells of a column; by default those of the text, which must then be whole.

    Raises:
        DatasetError: there are no columns path and label, or they could be several.
    """
    _check_wanted(wanted or {})
    cells_of = cells_of or cells_of_text(text, file)
    num_skipped, declared = _lines_before(text)
    separators = [declared] if declared else [each for each in SEPARATORS if each != LAST_BLANK]
    firsts: dict[str, tuple[int, list[str]]] = {}
    refusals: list[DatasetError] = []
    for separator in separators:
        try:
            firsts[separator] = _first_row(text, file, separator, num_skipped)
        except DatasetError as error:  # the quotes of another dialect
            refusals.append(error)
    if not firsts:
        raise refusals[0]
    for separator, (line, header) in firsts.items():
        at, extra = _named(header, wanted or {}, f"{file}:{line}")
        if "path" in at and "label" in at:
            layout = Layout(separator, num_skipped, True, at, extra)
            take_intervals(layout, _uncommented(header), cells_of)
            _take_split(layout, header, cells_of)
            layout.notes += _note(layout, header)
            return layout
    for separator, (line, header) in firsts.items():
        layout = Layout(separator, num_skipped, True, _named(header, wanted or {}, f"{file}:{line}")[0])
        if take_classes(layout, _uncommented(header), wanted or {}, f"{file}:{line}", cells_of):
            _take_split(layout, header, cells_of)
            layout.notes += _note(layout, header)
            return layout
    for separator in (*firsts, LAST_BLANK):
        line, cells = firsts.get(separator) or _first_row(text, file, separator, num_skipped)
        if len(cells) >= 2 and (_by_position(wanted) or _is_path(cells[0], root)):
            layout = Layout(separator, num_skipped, False, {})
            layout.columns = _by_position(wanted) or _guessed(layout, file, len(cells), cells_of)
            if max(layout.columns.values()) >= len(cells):
                continue
            layout.notes += _note(layout, [])
            return layout
    candidates = [(_named(header, wanted or {}, f"{file}:{line}")[0], line, header) for line, header in firsts.values()]
    at, line, header = max(candidates, key=lambda candidate: len(candidate[0]))
    raise _without_columns(at, wanted or {}, f"{file}:{line}", header)


def named_layout(header: list[str], file: Place | str, wanted: Columns | None, cells_of: CellsOf) -> Layout:
    """How a table is to be read whose columns have names.

    Raises:
        DatasetError: there are no columns path and label, or they could be several.
    """
    _check_wanted(wanted or {})
    if _by_position(wanted):
        raise DatasetError(f"{file}: its columns have names ({first_few(header)}), not positions: name them in columns")
    at, extra = _named(header, wanted or {}, str(file))
    layout = Layout(COMMA, 0, True, at, extra)
    if not {"path", "label"} <= at.keys() and not take_classes(layout, header, wanted or {}, str(file), cells_of):
        raise _without_columns(at, wanted or {}, str(file), header, NAMES_HINT)
    _take_split(layout, header, cells_of)
    layout.notes += _note(layout, header)
    return layout


def _without_columns(
    at: Mapping[str, int], wanted: Columns, place: str, header: list[str], hint: str = HINT
) -> DatasetError:
    absent = [str(wanted.get(name, name)) for name in ("path", "label") if name not in at]
    return DatasetError(f"{place}: no column {' or '.join(absent)}; found {first_few(header) or 'nothing'}; {hint}")


def _check_wanted(wanted: Columns) -> None:
    unknown = [name for name in wanted if name not in KNOWN_COLUMNS]
    if unknown:
        raise DatasetError(f"columns: {unknown[0]!r} is not one of {', '.join(KNOWN_COLUMNS)}; correct the name")
    if len({isinstance(value, int) for value in wanted.values()}) > 1:
        raise DatasetError("columns: names and positions are mixed; a list has a header, or it has not")
    if any(isinstance(value, int) and value < 0 for value in wanted.values()):
        raise DatasetError("columns: positions are counted from 0")
    if _by_position(wanted) and not {"path", "label"} <= wanted.keys():
        raise DatasetError("columns: path and label are needed; pass the positions of both, counted from 0")


def _by_position(wanted: Columns | None) -> dict[str, int]:
    return {name: value for name, value in (wanted or {}).items() if isinstance(value, int)}


def _lines_before(text: str) -> tuple[int, str | None]:
    """How many lines at the start are comments or blank, and the separator where ``sep=;`` (for Excel) declares it."""
    number = start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line = text[start:end].strip()
        if line.lower().startswith("sep=") and len(line) == 5 and line[-1] in SEPARATORS:
            return number + 1, line[-1]
        names_columns = _plain(re.split(r"[,;\t| ]", line.lstrip("# "))[0]) in _NAMES  # "# path,label" is a header
        if line and (not line.startswith("#") or names_columns):
            break
        number, start = number + 1, end + 1
    return number, None


def _first_row(text: str, file: Place, separator: str, num_skipped: int) -> tuple[int, list[str]]:
    return next(rows(text, file, separator, num_skipped=num_skipped), (num_skipped + 1, []))


def _named(header: list[str], wanted: Columns, place: str) -> tuple[dict[str, int], dict[str, int]]:
    """Where the known columns stand by their names in a header, and the others."""
    if any(isinstance(value, int) for value in wanted.values()):
        return {}, {}
    names = _uncommented(header)
    plain = [_plain(name) for name in names]
    found: dict[str, int] = {}
    for column in KNOWN_COLUMNS:
        if column in wanted:
            at = [k for k, name in enumerate(names) if name == wanted[column]]
        else:
            at = [k for k, name in enumerate(plain) if name == column]
            taken = {*wanted.values()}
            at = at or [k for k, name in enumerate(plain) if name in _ALIASES.get(column, ()) and names[k] not in taken]
        if len(at) > 1:
            several = ", ".join(names[k] for k in at)
            if len({plain[k] for k in at}) == 1:
                raise DatasetError(f"{place}: two columns of the same name among {', '.join(header)}; rename one")
            if column == "split":
                continue
            raise DatasetError(
                f"{place}: several columns could be the {column}: {several}; name it: --data.dataset.columns "
                f"'{{{column}: {names[at[0]]}}}'"
            )
        if at:
            found[column] = at[0]
    _take_parts(found, wanted, place)
    if "path" not in found or "label" not in found:
        return found, {}
    if len({*names}) < len(names):
        raise DatasetError(f"{place}: two columns of the same name among {', '.join(header)}; rename one")
    return found, {name: k for k, name in enumerate(names) if k not in found.values()}


def _take_parts(found: dict[str, int], wanted: Columns, place: str) -> None:
    """Parts need both columns of a unit, and are taken in seconds where both units are there; others are left alone."""
    for unit, (start, end) in UNITS.items():
        present = found.keys() & {start, end}
        is_second = unit == "frames" and "start" in found
        if len(present) == 2 and not is_second:
            continue
        if asked := sorted(present & wanted.keys()):
            raise DatasetError(
                f"{place}: columns: {asked[0]} is named, but "
                + ("parts are in seconds, too: name one unit" if is_second else f"a part needs {start} and {end}")
            )
        for name in present:
            del found[name]


def _uncommented(header: list[str]) -> list[str]:
    """The names of a header that may stand behind a ``#``."""
    return [name.lstrip("# ") if at == 0 else name for at, name in enumerate(header)]


def _plain(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.lower())


def _take_split(layout: Layout, header: list[str], cells_of: CellsOf) -> None:
    """A column such as ``subset`` is the split where it holds names of splits, and a further column otherwise."""
    at = layout.columns.get("split")
    if at is None:
        return
    if _plain(header[at]) in _ALIASES["split"] and not _names_splits(cells_of(layout, at)):
        del layout.columns["split"]
        layout.extra[header[at]] = at


def _guessed(layout: Layout, file: Place, num_cells: int, cells_of: CellsOf) -> dict[str, int]:
    """The columns of a list without a header, by the forms that are in use.

    ``path label`` (SlowFast, PyTorchVideo, VideoMAE), ``path num_frames label`` (TSN, MMAction2, VideoMAE) and
    ``path,label,split``.
    """
    if num_cells == 2:
        return {"path": 0, "label": 1}
    if num_cells == 3 and _names_splits(cells_of(layout, 2)):
        return {"path": 0, "label": 1, "split": 2}
    is_whole = [_are_numbers(cells_of(layout, at)) for at in (1, 2)]
    if num_cells == 3 and layout.separator != COMMA and all(is_whole):
        return {"path": 0, "label": 2}
    raise DatasetError(
        f"{file}:{layout.num_skipped + 1}: no header, and its {num_cells} columns could mean several things; {HINT}"
    )


def _names_splits(values: set[str]) -> bool:
    return bool(values) and len(values) <= 12 and len(splits_of(values)) == len(values)


def _are_numbers(values: set[str]) -> bool:
    return all(value.isdecimal() for value in values)


def _is_path(cell: str, root: str) -> bool:
    name = cell.replace("\\", "/").rpartition("/")[2]
    return is_video(name) or is_address(cell) or os.path.isfile(os.path.join(root, cell))  # noqa: PTH113, PTH118


def _note(layout: Layout, header: list[str]) -> list[str]:
    """What was understood, where the list is not the plain csv of the documentation."""
    parts = [] if layout.separator == COMMA else [f"separated by {SEPARATORS[layout.separator]}"]
    header = _uncommented(header)
    ordered = sorted(layout.columns, key=lambda name: layout.columns[name])
    if not layout.has_header:
        at = {position: name for name, position in layout.columns.items()}
        named = [at.get(position, "(ignored)") for position in range(max(at) + 1)]
        parts.append(f"no header: columns read as {', '.join(named)}")
    elif renamed := [name for name in ordered if header[layout.columns[name]].lower() != name]:
        parts.append("columns: " + ", ".join(f"{header[layout.columns[name]]} read as {name}" for name in renamed))
    if "start" in layout.columns:
        parts.append("parts of videos, in seconds")
    if "start_frame" in layout.columns:
        parts.append("parts of videos, in frames from 0, end_frame left out")
    if layout.class_columns:
        parts.append("classes, by columns of 0 and 1: " + first_few(layout.class_columns))
    return ["; ".join(parts)] if parts else []

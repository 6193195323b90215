"""The labels of a list of videos -> the classes of each video, where it may have several or none.

======================================  ======================  =====================================
cell of the label                        form                    classes
======================================  ======================  =====================================
``walk|wave``, ``walk``, empty           ``bars``                walk and wave; walk; none
``c092 11.90 21.20;c147 0.00 12.60``     ``intervals``           c092 and c147 (Charades)
======================================  ======================  =====================================
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np

from vidcls.class_names import LABEL_SEPARATOR, label_text
from vidcls.datasets.entries import Entry
from vidcls.datasets.entry_table import EntryTable, repeated
from vidcls.datasets.video_columns import VideoColumns
from vidcls.errors import DatasetError
from vidcls.remote import is_address
from vidcls.video_files import VIDEO_SUFFIXES, is_video

LabelForm = Literal["bars", "intervals"]
INTERVALS = re.compile(r"\s*[^\s;]+ +[\d.]+ +[\d.]+\s*(;\s*[^\s;]+ +[\d.]+ +[\d.]+\s*)*;?\s*")
"""A cell of classes with the seconds in which each is seen."""


THERE, ABSENT = ("1", "1.0", "True", "true"), ("0", "0.0", "False", "false")
"""What the column of a class says of a video."""


def classes_in_cell(cell: str, form: LabelForm) -> tuple[str, ...]:
    """The classes of a cell, each once, in the order of their names."""
    if form == "intervals":
        found = {part.split()[0] for part in cell.split(";") if part.strip()}
    else:
        found = {part.strip() for part in cell.split(LABEL_SEPARATOR)} - {""}
    return tuple(sorted(found))


def name_several(labels: Sequence[str]) -> bool:
    """Whether cells such as ``walk|wave`` name several classes: a part of one occurs in another."""
    barred = [label for label in labels if LABEL_SEPARATOR in label]
    if not barred:
        return False
    occurs = Counter(part for label in labels for part in classes_in_cell(label, "bars"))
    return any(occurs[part] > 1 for label in barred for part in classes_in_cell(label, "bars"))


def with_several(columns: VideoColumns, form: LabelForm) -> VideoColumns:
    """The videos with the classes that their labels name."""
    import pyarrow as pa

    labels: dict[str, int] = {}
    texts: list[int] = []
    several: list[list[int] | None] = []
    for cell in columns.labels:
        classes = classes_in_cell(cell, form)
        codes = [labels.setdefault(name, len(labels)) for name in classes]
        texts.append(codes[0] if len(codes) == 1 else labels.setdefault(label_text(classes), len(labels)))
        several.append(None if len(codes) == 1 else codes)
    kind = pa.list_(pa.int32())
    table = pa.array(several, kind)
    has_one = np.array([codes is None for codes in several])
    batches = []
    for batch in columns.batches:
        codes = batch.column("label")
        batch = batch.set_column(
            batch.schema.get_field_index("label"), "label", pa.array(np.array(texts, np.int32)[codes.to_numpy()])
        )
        batches.append(batch if has_one.all() else batch.append_column("several", table.take(codes)))
    return VideoColumns(columns.prefix, list(labels), columns.sources, batches)


def with_each_once(entries: EntryTable) -> EntryTable:
    """The same where a video that several lines of one split list is listed once, with the classes of all of them.

    Raises:
        DatasetError: lines of one video name two groups.
    """
    suspects = set(repeated(entries.sample_hashes).tolist())
    if not suspects:
        return entries
    first: dict[tuple[str, object, object], Entry] = {}
    kept: list[Entry] = []
    for number, entry in enumerate(entries):
        key = (entry.path, entry.part, entry.split)
        if number not in suspects or key not in first:
            first[key] = entry
            kept.append(entry)
            continue
        other = first[key]
        if other.group != entry.group:
            raise DatasetError(
                f"{entry.place} lists {entry.name} in the group {entry.group!r}, {other.place} in {other.group!r}: "
                "name one group for each video"
            )
        classes = tuple(sorted({*other.classes, *entry.classes}))
        other.label, other.several = label_text(classes), None if len(classes) == 1 else classes
    return EntryTable.of(kept)


def check_no_empty_label(columns: VideoColumns) -> None:
    """Refuse a video without a label in a list of videos that have one each.

    Raises:
        DatasetError: names the line.
    """
    if "" not in columns.labels:
        return
    codes = columns.numbers("label")
    row = columns.row(int(np.argmax(codes == columns.labels.index(""))))
    raise DatasetError(
        f"{row.source}:{row.line}: the column label is empty; fill it or remove the line, or pass "
        "--task multi_label, in which a video may have no label"
    )


def is_there(cell: str, name: str, place: str) -> bool:
    """Whether the column of a class says that a video has it.

    Raises:
        DatasetError: it says neither.
    """
    if cell in THERE:
        return True
    if cell in ABSENT:
        return False
    raise DatasetError(f"{place}: the column of the class {name} has {cell!r}; expected 0 or 1")


def whole_path(cell: str, root: str, suffix: str) -> str:
    """The path of a video that is named without a suffix: the one that is there."""
    if is_video(cell):
        return cell
    if is_address(root) or is_address(cell):
        return cell + suffix
    there = (each for each in (suffix, *sorted(VIDEO_SUFFIXES)) if os.path.lexists(os.path.join(root, cell + each)))  # noqa: PTH118
    return cell + next(there, suffix)

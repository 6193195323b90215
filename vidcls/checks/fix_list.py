"""Checked records -> a csv file of the usable ones, which is a data set, and what is not in it or was moved."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vidcls.checks.cache import CheckedVideo
from vidcls.checks.duplicates import copies, group_of, spread_groups
from vidcls.datasets import VideoCsv
from vidcls.datasets.record_facts import labels_of
from vidcls.errors import DatasetError
from vidcls.files import write_csv
from vidcls.remote.addresses import is_signed
from vidcls.types import SPLITS, Split, VideoRecord
from vidcls.video.remote_file import RemoteFile
from vidcls.video.source import LocalFile, VideoSource
from vidcls.video_part import PART_COLUMNS, part_cells, part_units

if TYPE_CHECKING:
    from vidcls.remote.places import Place

KEPT_FIRST: tuple[Split, ...] = ("test", "val", "train")


@dataclass(frozen=True)
class FixList:
    """What becomes of every video.

    Args:
        kept: the usable ones, each with the split it is in now.
        left_out: name and reason.
        moved: name and reason.
        is_recut: the list names no splits, since too much would have to move: they are cut again when it is loaded.
    """

    kept: list[VideoRecord]
    left_out: list[tuple[str, str]]
    moved: list[tuple[str, str]]
    is_recut: bool = False


def fix_list(records: Sequence[VideoRecord], known: Mapping[VideoSource, CheckedVideo]) -> FixList:
    """Leave out what cannot be read, copies and contradictions, and bring each group into one split.

    - A file that cannot be read whole is left out.
    - Of copies one is kept: that of the test, else of the validation, else the first. So a test stays the test that
      it was, and the training, which has most, gives.
    - Copies with different labels are all left out: which label is right, no program knows.
    - A group in several splits goes to the split that has most of its videos, as a whole; no video is lost. If a split
      would lose more than half of its videos that way, as when splits were drawn without regard to groups, the list
      has groups and no splits, so that `VideoCsv` cuts them by group.
    """
    records = list(records)  # told apart by identity: one file may be listed twice
    left_out = {
        id(r): f"{known[r.source].health.fault}: {known[r.source].health.reason}" for r in records if _bad(r, known)
    }
    for group in copies([record for record in records if id(record) not in left_out], known):
        if len({frozenset(record.classes) for record in group}) > 1:
            labels = ", ".join(sorted({record.label for record in group}))
            left_out |= {id(record): f"the same video has the labels {labels}" for record in group}
            continue
        kept = min(group, key=lambda record: KEPT_FIRST.index(record.split))
        for record in group:
            if record is not kept:
                left_out[id(record)] = f"a copy of {kept.name} ({kept.split})"
    usable = [record for record in records if id(record) not in left_out]
    part_of = {name: _main_part(group) for name, group in spread_groups(usable).items()}
    moved, placed = [], []
    for record in usable:
        group_name = group_of(record)
        split = part_of.get(group_name, record.split) if group_name is not None else record.split
        if split != record.split:
            moved.append((record.name, f"from {record.split} to {split}, where most of the group {group_name} is"))
        placed.append(replace(record, split=split, group=group_name))
    listed = [(record.name, left_out[id(record)]) for record in records if id(record) in left_out]
    before, after = Counter(record.split for record in usable), Counter(record.split for record in placed)
    if any(after[split] < before[split] / 2 for split in SPLITS):
        return FixList(placed, listed, [], is_recut=True)
    return FixList(placed, listed, moved)


def write_fix_list(fixed: FixList, output: Path, root: Place) -> None:
    """Write the csv file, whole or not at all; it is read back as a data set before it gets its name.

    Paths are relative where the file lies in the folder of the data set, else absolute.

    Raises:
        DatasetError: there is a file of that name, or what is left is not a data set.
    """
    if output.exists():
        raise DatasetError(f"--fix_list {output}: already exists, and a list is never overwritten: pass another name")
    if not fixed.kept:
        raise DatasetError(f"--fix_list {output}: no video can be used, so that there is nothing to list")
    signed = next(
        (r.source for r in fixed.kept if isinstance(r.source, RemoteFile) and is_signed(r.source.address)), None
    )
    if signed is not None:
        raise DatasetError(f"--fix_list {output}: would hold the signed address {signed}: list plain addresses")
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.stem}-") as folder:
        draft = Path(folder) / output.name
        rows = _rows(fixed, is_beside=isinstance(root, Path) and output.parent.resolve() == root.resolve())
        write_csv(draft, rows, odd_names="kept")
        try:
            VideoCsv(draft, root=output.parent, labels=labels_of(fixed.kept))
        except DatasetError as error:
            reason = str(error).replace(str(draft), "it")
            raise DatasetError(f"--fix_list {output}: what can be used is not a data set: {reason}") from error
        draft.replace(output)


def _rows(fixed: FixList, *, is_beside: bool) -> list[list[str]]:
    kept = fixed.kept
    extras = list(kept[0].extra)
    has_extras = all(list(record.extra) == extras for record in kept)
    has_groups = any(record.group is not None for record in kept)
    units = part_units(record.part for record in kept)
    part_columns = [column for unit in units for column in PART_COLUMNS[unit]]
    columns = ["path", *part_columns, "label", *([] if fixed.is_recut else ["split"])]
    columns += ["group"] if has_groups else []
    rows = [[*columns, *(extras if has_extras else [])]]
    for record in kept:
        is_inside = is_beside and not record.name.startswith("outside/")
        cells = {
            "path": record.video_name if is_inside else _address(record.source),
            **dict(zip(part_columns, part_cells(record.part, units), strict=True)),
            "label": record.label,
            "split": record.split,
            "group": record.group or record.video_name,
        }
        rows.append([cells[column] for column in columns] + (list(record.extra.values()) if has_extras else []))
    return rows


def _bad(record: VideoRecord, known: Mapping[VideoSource, CheckedVideo]) -> bool:
    return bool(known[record.source].health.fault)


def _main_part(group: Sequence[VideoRecord]) -> Split:
    """The split that most of them are in; of equals, the training."""
    counts = Counter(record.split for record in group)
    return max(SPLITS, key=lambda split: counts[split])


def _address(source: VideoSource) -> str:
    """By which a video is found from any folder."""
    return os.path.abspath(source.path) if isinstance(source, LocalFile) else source.name  # noqa: PTH100 - links stay

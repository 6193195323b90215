"""A csv file or another list of videos -> records: the columns path and label, and where present split and group."""

from __future__ import annotations

import os
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from vidcls.datasets.base import VideoDataset, checked_records, collector_paused
from vidcls.datasets.checks import Faults
from vidcls.datasets.columns_in_making import ColumnsInMaking
from vidcls.datasets.entry_table import EntryTable
from vidcls.datasets.group_pattern import compiled_group_pattern
from vidcls.datasets.label_cells import LabelForm, check_no_empty_label, name_several, with_each_once, with_several
from vidcls.datasets.lists_by_split import files_of_splits, splits_beside
from vidcls.datasets.one_list import OneList
from vidcls.datasets.places import existing_folder, is_folder
from vidcls.datasets.splits import check_fractions
from vidcls.errors import DatasetError
from vidcls.remote import place_of
from vidcls.types import Split

if TYPE_CHECKING:
    from vidcls.remote.places import Place


class VideoCsv(VideoDataset):
    r"""Videos listed in a csv file, in the order of its lines.

    The plain form is UTF-8 with commas and a header. ``path`` and ``label`` are needed. Without ``split`` (train, val,
    test, or another usual name such as validation) the three splits are cut by class and, where there is a column
    ``group``, by group. With ``split`` but no val in it, validation is cut from the training split in the same way,
    never from test. Every other column is kept in the record's ``extra``.

    With ``start`` and ``end`` each line is a part of a video in seconds (``12.5`` or ``1:02.5``), with ``start_frame``
    and ``end_frame`` in frames counted from 0, the end itself left out; see :class:`vidcls.VideoPart`. Where both
    cells are empty it is the whole video. A video is then the group of its parts, where no group is given.

    Lists of other tools are read too where they can mean one thing only, and `notes` says what was understood: other
    separators (semicolons, tabs, bars, blanks), UTF-16, comments at the start, usual names of columns (``video_path``,
    ``filename``, ``class``), and no header: ``path label`` as SlowFast, PyTorchVideo and VideoMAE have it, ``path
    num_frames label`` with blanks, ``path,label,split``. A folder with ``train.csv``, ``val.csv`` and ``test.csv`` is
    one data set.

    Args:
        path: the csv file, or a folder of one for each split; also an address, with --allow-remote.
        root: folder that the paths in the csv are relative to; default: the folder of the csv. Both the root and the
            paths may be addresses.
        val_fraction: share of the videos for validation, where the csv has none; of the training split where test is
            given.
        test_fraction: share of the videos for testing, where the csv has no column split.
        seed: of the cut.
        official_split: keep the split of the csv even where it spreads a group over splits, as those of some published
            data sets do; it is logged in place of refused.
        group_pattern: regular expression searched in the path of a video below ``root``; its first bracket is the
            group, such as ``(person\d+)_``; unused where there is a column ``group``.
        columns: which columns hold path, label, split, group and start,end, by name (``{path: clip, label: verb}``) or,
            in a list without a header, by position from 0 (``{path: 0, label: 2}``); default: found by name. Columns of
            0 and 1 for each class are named together: ``{label: walk|wave}``.
        labels: whether a video has a ``single`` label or ``several``, in a cell such as ``walk|wave``, in repeated
            lines or in columns of 0 and 1, or none, where the cell is empty; default: as ``--data.task`` needs it, or
            as the list looks. With ``single`` each action of a list such as that of Charades is a part with its class.

    Raises:
        DatasetError: the csv is unreadable, or contradicts itself or the files; the message has the line number.
        ValueError: ``group_pattern`` is not a regular expression with a bracket, or the fractions are not shares.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        root: str | PathLike[str] | None = None,
        val_fraction: float = 0.15,
        test_fraction: float = 0.15,
        seed: int = 0,
        official_split: bool = False,
        group_pattern: str | None = None,
        columns: dict[str, str | int] | None = None,
        labels: Literal["single", "several"] | None = None,
    ) -> None:
        check_fractions(val_fraction, test_fraction)
        pattern = compiled_group_pattern(group_pattern)
        place = place_of(path)
        place = place.expanduser() if isinstance(place, Path) else place
        has_splits = place.is_dir() if isinstance(place, Path) else not place.suffix and is_folder(place)
        files: Mapping[Place, Split | None] = files_of_splits(place) if has_splits else {place: None}
        if isinstance(place, Path) and not place.exists():
            raise DatasetError(f"no csv file at {place}: expected a file with the columns path,label; check the path")
        base = place if has_splits else place.parent
        is_asked = root is not None or isinstance(base, Path)  # reading the list asks for a bucket
        folder = existing_folder(str(base) if root is None else root, what="folder of the videos") if is_asked else base
        with collector_paused():
            lists = [OneList(file, str(folder), split, columns, pattern) for file, split in files.items()]
            for each in lists:
                each.splits_actions = labels == "single"
            making = ColumnsInMaking(str(folder) if str(folder).endswith(os.sep) else f"{folder}{os.sep}")
            splits = [each.add_to(making) for each in lists]
            faults = Faults()
            has_classes = any(each.has_classes for each in lists)
            is_several = labels == "several" or has_classes or (labels is None and name_several(list(making.labels)))
            records = checked_records(
                _entries(making, splits, lists[0].form if is_several else None),
                source=str(place),
                val_fraction=val_fraction,
                test_fraction=test_fraction,
                seed=seed,
                official_groups=official_split,
                faults=faults,
            )
        notes = [note for each in lists for note in each.notes]
        notes += [] if has_splits else splits_beside(place, has_split=lists[0].has_split)
        super().__init__(folder, records, source=str(place), notes=notes, faults=faults)


def _entries(making: ColumnsInMaking, splits: list[NDArray[np.int8]], form: LabelForm | None) -> EntryTable:
    """The videos that were listed; ``form`` is that of labels that name several classes, None where each has one."""
    columns, codes = making.finish(), np.concatenate(splits)
    if form is not None:
        return with_each_once(EntryTable(with_several(columns, form), codes))
    check_no_empty_label(columns)
    return EntryTable(columns, codes)

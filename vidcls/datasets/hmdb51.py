"""HMDB51 with its official split files -> records."""

from __future__ import annotations

import re
from collections.abc import Iterator
from os import PathLike
from typing import TYPE_CHECKING, Literal

from vidcls.datasets.base import VideoDataset, checked_records
from vidcls.datasets.checks import Faults
from vidcls.datasets.entries import Entry, read_lines
from vidcls.datasets.places import existing_folder, files_in, joined
from vidcls.datasets.splits import check_fractions
from vidcls.errors import DatasetError
from vidcls.types import Split

if TYPE_CHECKING:
    from vidcls.remote.places import Place

_TAGS = re.compile(
    r"_[hulf]_(?:cm|nm)_np\d+_(?:fr|ba|le|ri)_(?:goo|med|bad)_\d+$"
)  # body, camera, people, view, quality, count
_CODES: dict[str, Split | None] = {"0": None, "1": "train", "2": "test"}


class HMDB51(VideoDataset):
    """HMDB51 (Kuehne et al., "HMDB: A Large Video Database for Human Motion Recognition", ICCV 2011).

    Expects ``root/brush_hair/April_09_brush_hair_u_nm_np1_ba_goo_0.avi`` and, in ``annotations``, the official
    ``brush_hair_test_split1.txt`` and so on, whose lines give each clip a 1 (train), a 2 (test) or a 0 (not used in
    this split). The group is the class and the source movie as far as the file name tells: what stands before the tags
    for body, camera, people, view and quality. The official splits keep sources together within a class only, so a
    movie may be in train for one class and in test for another; a source that they do spread is logged, not refused.
    They have no validation: it is cut from train by group.

    Args:
        root: folder of the class folders.
        annotations: folder of the split files (testTrainMulti_7030_splits).
        fold: which of the three official splits.
        val_fraction: share of the training clips for validation.
        seed: of that cut.

    Raises:
        DatasetError: a split file or a video is missing, or a line is not as described.
    """

    def __init__(
        self,
        root: str | PathLike[str],
        annotations: str | PathLike[str],
        *,
        fold: Literal[1, 2, 3] = 1,
        val_fraction: float = 0.1,
        seed: int = 0,
    ) -> None:
        check_fractions(val_fraction)
        folder = existing_folder(root, what="folder of the videos")
        lists = existing_folder(annotations, what="folder of the split files")
        files = files_in(lists, f"*_test_split{fold}.txt")
        if not files:
            raise DatasetError(
                f"no split file in {lists}: expected <class>_test_split{fold}.txt for every class; check the path"
            )
        entries = [entry for file in files for entry in _entries(folder, file, fold)]
        faults = Faults()
        records = checked_records(
            entries, source=str(lists), val_fraction=val_fraction, seed=seed, official_groups=True, faults=faults
        )
        super().__init__(folder, records, faults=faults)


def _entries(root: Place, file: Place, fold: int) -> Iterator[Entry]:
    label = file.name.removesuffix(f"_test_split{fold}.txt")
    for line, text in read_lines(file):
        file_name, _, code = text.rpartition(" ")
        if not file_name or code not in _CODES:
            raise DatasetError(f"{file}:{line}: expected a file name and 0, 1 or 2, found {text!r}")
        split = _CODES[code]
        if split is not None:
            group = f"{label}/{_TAGS.sub('', file_name.strip().rpartition('.')[0])}"
            name = f"{label}/{file_name.strip()}"
            yield Entry(joined(root, name), label, name, split, group, str(file), line)

"""A data set on disk as FiftyOne writes it -> records: a folder of videos by class, or temporal detections in JSON."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidcls.datasets.annotated import LabelledPart, counted, entries_of
from vidcls.datasets.base import VideoDataset, checked_records
from vidcls.datasets.checks import Faults
from vidcls.datasets.entries import Entry
from vidcls.datasets.group_pattern import compiled_group_pattern, group_in
from vidcls.datasets.places import existing_folder, is_file, joined, listed_below, local_annotation
from vidcls.datasets.splits import check_fractions
from vidcls.errors import DatasetError
from vidcls.settings_file import one_line, read_json
from vidcls.video_part import VideoPart

if TYPE_CHECKING:
    from vidcls.remote.places import Place

LABELS, MANIFEST, DATA, UNLABELED = "labels.json", "data.json", "data", "_unlabeled"


class FiftyOne(VideoDataset):
    r"""Videos that FiftyOne exported, as ``VideoClassificationDirectoryTree`` or ``FiftyOneTemporalDetectionDataset``.

    ::

        root/walk/a.mp4             root/labels.json        {"classes": [...], "labels": {"a": [{"label": 0,
        root/sit/b.mp4              root/data/a.mp4            "support": [1, 50]}, ...]}}
        root/_unlabeled/c.mp4       (or root/data.json)

    On the left each folder is a class of whole videos. On the right each detection is a part: ``support`` has its first
    and its last frame, counted from 1, and ``timestamps`` its start and end in seconds. Videos without a label are left
    out, and `notes` counts them.

    Args:
        root: the folder.
        data: folder of the videos of temporal detections; default: ``root/data``, or what ``data.json`` names where all
            of it lies below ``root``.
        val_fraction: share of the videos for validation.
        test_fraction: share of the videos for testing.
        seed: of the cut.
        group_pattern: regular expression searched in the path of a video; its first bracket is the group, such as
            ``(person\d+)_``; default: the parts of a video are a group.

    Raises:
        DatasetError: the folder is none of both, or contradicts itself or the files.
        ValueError: ``group_pattern`` is not a regular expression with a bracket, or the fractions are not shares.
    """

    def __init__(
        self,
        root: str | PathLike[str],
        *,
        data: str | PathLike[str] | None = None,
        val_fraction: float = 0.15,
        test_fraction: float = 0.15,
        seed: int = 0,
        group_pattern: str | None = None,
    ) -> None:
        check_fractions(val_fraction, test_fraction)
        pattern, folder = compiled_group_pattern(group_pattern), existing_folder(root, what="folder of FiftyOne")
        left_out: Counter[str] = Counter()
        if is_file(folder / LABELS):
            videos = _folder_of(folder, data)
            entries = entries_of(_detections(folder, left_out), videos, pattern, any_suffix=True)
        else:
            videos, entries = folder, _by_folder(folder, pattern, left_out)
        faults = Faults()
        records = checked_records(
            entries,
            source=str(folder),
            val_fraction=val_fraction,
            test_fraction=test_fraction,
            seed=seed,
            faults=faults,
        )
        super().__init__(videos, records, source=str(folder), notes=counted(left_out), faults=faults)


def _folder_of(folder: Place, data: str | PathLike[str] | None) -> Place:
    """Where the videos of temporal detections are."""
    if data is not None:
        return existing_folder(data, what="folder of the videos")
    return folder if is_file(folder / MANIFEST) else existing_folder(str(folder / DATA), what="folder of the videos")


def _by_folder(folder: Place, pattern: re.Pattern[str] | None, left_out: Counter[str]) -> Iterator[Entry]:
    for name in listed_below(folder).videos:
        label, _, rest = name.partition("/")
        if label == UNLABELED or not rest:
            left_out["videos without a label, left out"] += 1
            continue
        group = None if pattern is None else group_in(pattern, name, folder / name)
        yield Entry(joined(folder, name), label, name, group=group)


def _detections(folder: Place, left_out: Counter[str]) -> Iterator[LabelledPart]:
    file = folder / LABELS
    content = _read(file)
    labels, classes = content.get("labels"), content.get("classes")
    if not isinstance(labels, Mapping) or not (classes is None or isinstance(classes, list)):
        raise DatasetError(f"{file}: expected classes and labels, as FiftyOne writes temporal detections")
    paths = _read(folder / MANIFEST) if is_file(folder / MANIFEST) else {}
    for number, (uuid, found) in enumerate(labels.items(), start=1):
        if not found:
            left_out["videos without a label, left out"] += 1
            continue
        place = f"{file} video:{number}"
        for each in found if isinstance(found, list) else [found]:
            if not isinstance(each, Mapping) or "label" not in each:
                raise DatasetError(f"{place}: a detection of {uuid!r} is {str(each)[:60]}: expected label and support")
            label = _label(each["label"], classes, place)
            video = paths.get(uuid, uuid)
            yield LabelledPart(str(video), (label,), _part(each, place), f"{file} video", number)


def _label(target: object, classes: list[object] | None, place: str) -> str:
    if not classes or isinstance(target, str):
        return str(target)
    if not isinstance(target, int) or not 0 <= target < len(classes):
        raise DatasetError(f"{place}: the label is {target!r}: expected 0 to {len(classes) - 1}, a place in classes")
    return str(classes[target])


def _part(detection: Mapping[str, Any], place: str) -> VideoPart | None:
    """The part of a detection; None where it is of the whole video."""
    support, seconds = detection.get("support"), detection.get("timestamps")
    try:
        if support is not None:
            first, last = support
            return VideoPart(first - 1, last, "frames")
        if seconds is not None:
            return VideoPart(*seconds)
    except (OverflowError, TypeError, ValueError) as error:
        what = str(error) if isinstance(error, ValueError) else "expected two numbers"
        raise DatasetError(f"{place}: support or timestamps are {str(support or seconds)[:40]}: {what}") from error
    return None


def _read(file: Place) -> Mapping[str, Any]:
    with local_annotation(file) as here:
        try:
            content = read_json(Path(here))
        except (OSError, ValueError) as error:
            raise DatasetError(f"{file}: not valid json: {one_line(error)}; export it again") from error
    if not isinstance(content, dict):
        raise DatasetError(f"{file}: expected an object, as FiftyOne writes it")
    return content

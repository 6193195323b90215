"""A data module -> the first lines of a training or test: which videos, of which classes, in which splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vidcls.checks.unknown_groups import groups_text
from vidcls.datasets.checks import first_few
from vidcls.datasets.record_facts import class_counts, in_split, known_groups, num_groups
from vidcls.files import printable
from vidcls.loading import VideoDataModule
from vidcls.types import SPLITS, Split, VideoRecord


def data_lines(data: VideoDataModule, splits: Sequence[Split] = SPLITS) -> list[str]:
    """What a user looks at to see that these are the videos that they mean, and what was understood of them.

    Args:
        data: its videos in place.
        splits: those that the command works on.
    """
    dataset = data.dataset
    present = class_counts(data.records).keys()
    names = [name for name in data.class_names if name in present]
    counts = {split: in_split(data.records, split) for split in splits}
    lines = [
        f"data set: {type(dataset).__name__} {dataset.source or dataset.root}",
        f"  {len(data.records):,} videos of {len(names)} classes ({first_few(names)})",
        "  " + ", ".join(f"{split}: {_counts(found, len(names))}" for split, found in counts.items()),
        *([] if len(splits) < len(SPLITS) else [f"  groups: {_groups(data, counts)}"]),
        *(f"  note: {note}" for note in dataset.notes),
    ]
    return [printable(" ".join(line.split("\n"))) for line in lines]


def _counts(records: Sequence[VideoRecord], num_classes: int) -> str:
    """How many videos, and of how many classes where some are missing."""
    if not records:
        return "no videos"
    names = class_counts(records)
    of = "" if len(names) == num_classes else f" of {len(names)} classes"
    return f"{len(records):,} video{'s' if len(records) > 1 else ''}{of}"


def _groups(data: VideoDataModule, by_split: Mapping[Split, Sequence[VideoRecord]]) -> str:
    known = known_groups(data.records)
    if known.num_grouped < known.num_videos:
        return groups_text(data.records, decoder=data.input_settings.decoder)
    groups = {split: num_groups(records) for split, records in by_split.items()}
    return ", ".join(f"{split} {number:,}" for split, number in groups.items() if number)

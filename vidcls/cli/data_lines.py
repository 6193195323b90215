"""A data module -> the first lines of a training or test: which videos, of which classes, in which splits."""

from __future__ import annotations

from collections.abc import Sequence

from vidcls.checks.unknown_groups import groups_text
from vidcls.datasets.checks import first_few
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
    present = {name for record in data.records for name in record.classes}
    names = [name for name in data.class_names if name in present]
    lines = [
        f"data set: {type(dataset).__name__} {dataset.source or dataset.root}: {len(data.records)} videos of "
        f"{len(names)} classes ({first_few(names)})",
        "  " + ", ".join(f"{split}: {_counts(data.records, split)}" for split in splits),
        *(f"  note: {note}" for note in dataset.notes),
    ]
    if "train" in splits:
        lines.insert(2, f"  groups: {groups_text(data.records, decoder=data.input_settings.decoder)}")
    return [printable(" ".join(line.split("\n"))) for line in lines]


def _counts(records: Sequence[VideoRecord], split: Split) -> str:
    found = [record.classes for record in records if record.split == split]
    names = {name for classes in found for name in classes}
    return f"{len(found)} videos of {len(names)} classes" if found else "no videos"

"""Samples -> a batch, and what is still to be done to its clips on the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict

import torch
from torch.utils.data import default_collate

from vidcls.transforms import Augmentation, Kinds, augmented
from vidcls.types import Batch, Sample, Target

AUGMENTATION: Literal["augmentation"] = "augmentation"
"""Of a sample: stays plain values in a batch, which never move to a GPU."""


class Skipped(TypedDict):
    """What stands for a video that could not be read, where the user chose to leave such videos out."""

    skipped: str


class Unread(TypedDict):
    """What stands for a video of a test that could not be read: its number, its target or None, and why."""

    unread: tuple[int, Target | None, str]


def collate(samples: Sequence[Sample | Skipped | Unread]) -> Batch:
    """Samples -> a batch; what was skipped or not read is named and takes no place."""
    read = [sample for sample in samples if "label" in sample]
    good = [{name: value for name, value in sample.items() if name != AUGMENTATION} for sample in read]
    skipped = [str(sample["skipped"]) for sample in samples if "skipped" in sample]  # type: ignore[typeddict-item]
    unread = [sample["unread"] for sample in samples if "unread" in sample]  # type: ignore[typeddict-item]
    nothing = torch.empty(0, dtype=torch.long)
    batch: Batch = default_collate(good) if good else {"streams": {}, "label": nothing, "index": nothing.clone()}
    if read and AUGMENTATION in read[0]:
        batch[AUGMENTATION] = [sample[AUGMENTATION] for sample in read]  # type: ignore[typeddict-item]
    if skipped:
        batch["skipped"] = skipped
    if unread:
        batch["unread"] = unread
    return batch


def augmented_batch(batch: Batch, kinds: Kinds) -> Batch:
    """Do to each clip of a batch what its sample left to be done, on the device of the batch.

    Args:
        batch: as :func:`collate` made it.
        kinds: what its streams are, as loaded.
    """
    if AUGMENTATION not in batch:
        return batch
    drawn = [Augmentation(*each) for each in batch.pop(AUGMENTATION)]
    streams = batch["streams"]
    clips = [
        augmented({name: stream[k].transpose(0, 1) for name, stream in streams.items()}, kinds, drawn[k])
        for k in range(len(drawn))
    ]
    batch["streams"] = {name: torch.stack([clip[name].transpose(0, 1) for clip in clips]) for name in streams}
    return batch

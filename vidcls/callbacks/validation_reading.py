"""Which videos of a validation were right -> sentences that say what its score is worth."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vidcls.files import printable
from vidcls.loading import VideoDataModule
from vidcls.runs.reading import reading_of_hits
from vidcls.training.results import collated_targets


def validation_reading(data: VideoDataModule, validated: Mapping[int, bool]) -> list[str]:
    """Hits of n, their interval, and what guessing reaches; nothing where it is not known which videos were right.

    Args:
        data: has the videos.
        validated: whether the model was right, by the position of the video among those of the split.
    """
    records, found = data.split("val"), sorted(validated.items())
    if not found or found[-1][0] >= len(records):  # of a checkpoint that was validated on other videos
        return []
    videos = [records[k] for k, _ in found]
    labels = collated_targets([data.task.target(record.classes) for record in videos]).numpy()
    is_correct = np.array([right for _, right in found])
    groups = [record.group for record in videos]
    return [printable(line) for line in reading_of_hits(data.task, labels, is_correct, groups)]

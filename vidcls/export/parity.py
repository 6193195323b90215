"""A network and its exported file on the same clips -> how far their answers lie apart, and what that costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor

from vidcls.errors import ExportError
from vidcls.inference.view_scores import video_scores
from vidcls.types import MODEL_ROW

if TYPE_CHECKING:
    from vidcls.export.videos import CheckedVideo
    from vidcls.tasks import Task
    from vidcls.types import ScoreRule

Precision = Literal["fp32", "fp16", "int8"]
TOLERANCE: dict[Precision, float] = {"fp32": 1e-4, "fp16": 2e-2, "int8": 0.25}
"""Largest difference of a probability. float32 sums in another order differ by 1e-6, and a probability by at most half
of what a logit does: 1e-4 is the room of a deep network. Half precision rounds each number by 2^-11 of itself, so that
logits of 10 to 20 move by some hundredths. Integers of 8 bits have 256 steps: there the accuracy decides, and the bound
holds only what is plainly broken."""
MAX_LOSS = 0.01
"""Share of the videos that int8 may lose; more is refused unless forced. MLPerf asks for 99 % of the accuracy, too."""
UNKNOWN = (
    "int8 is written only where its accuracy is known, and no labelled test videos were found: export where the run's "
    "data lies, or pass --force"
)
VIEWS_AT_ONCE = 16

Answer = Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]]
"""Views ``(V, C, T, H, W)`` by stream -> their scores ``(V, K)`` by row."""


@dataclass(frozen=True)
class Parity:
    """What a comparison found.

    Args:
        num_videos: that were compared.
        largest_difference: of a probability, over all videos, rows and classes.
        where: the row and the video of it.
        agreement: share of the videos that both predict alike.
        metric: what the accuracy is, by the task's key.
        accuracy_before: of the network; None without labels.
        accuracy_after: of the file.
    """

    num_videos: int
    largest_difference: float
    where: str
    agreement: float
    metric: str
    accuracy_before: float | None = None
    accuracy_after: float | None = None

    @property
    def loss(self) -> float | None:
        """By how much the accuracy falls; below 0 where it rises."""
        if self.accuracy_before is None or self.accuracy_after is None:
            return None
        return self.accuracy_before - self.accuracy_after

    def to_dict(self) -> dict[str, object]:
        """Plain types, for the file."""
        return {
            "num_videos": self.num_videos,
            "largest_difference": self.largest_difference,
            "agreement": self.agreement,
            "metric": self.metric,
            "accuracy_before": self.accuracy_before,
            "accuracy_after": self.accuracy_after,
        }


def compare(before: Answer, after: Answer, videos: Iterable[CheckedVideo], task: Task, rule: ScoreRule) -> Parity:
    """Ask both about all views of each video.

    Raises:
        ExportError: no video could be read, the rows differ, or an answer is not finite.
    """
    largest, where = 0.0, ""
    scores: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    targets: list[object] = []
    for video in videos:
        one, other = (_averaged(answer, video, task, rule) for answer in (before, after))
        if list(one) != list(other):
            raise ExportError(f"the exported file answers with the rows {', '.join(other)}, expected {', '.join(one)}")
        for row, expected in one.items():
            difference = float((expected - other[row]).abs().max())
            if not np.isfinite(difference):
                raise ExportError(f"the exported file answers {video.name} with NaN or infinity ({row})")
            if difference >= largest:
                largest, where = difference, f"{row}, {video.name}"
        scores[0].append(one[MODEL_ROW].numpy())
        scores[1].append(other[MODEL_ROW].numpy())
        targets.append(video.target)
    if not targets:
        raise ExportError("no video could be read to check the exported file on: pass --check VIDEO ...")
    return _found(largest, where, np.stack(scores[0]), np.stack(scores[1]), targets, task)


def _found(
    largest: float, where: str, before: np.ndarray, after: np.ndarray, targets: list[object], task: Task
) -> Parity:
    alike = np.asarray(task.predicted(before)) == np.asarray(task.predicted(after))
    agreement = float(alike.reshape(len(alike), -1).all(axis=1).mean())
    accuracies: list[float | None] = [None, None]
    if all(target is not None for target in targets):
        labels = np.stack([np.asarray(target) for target in targets])
        accuracies = [task.measures(each, labels)[task.main_metric](None) for each in (before, after)]
    return Parity(len(targets), largest, where, agreement, task.main_metric, *accuracies)


def _averaged(answer: Answer, video: CheckedVideo, task: Task, rule: ScoreRule) -> dict[str, Tensor]:
    """Probabilities ``(K,)`` of a video by row."""
    by_row: dict[str, list[Tensor]] = {}
    num_views = len(next(iter(video.views.values())))
    for start in range(0, num_views, VIEWS_AT_ONCE):
        some = {name: stream[start : start + VIEWS_AT_ONCE] for name, stream in video.views.items()}
        with torch.inference_mode():
            for row, scores in answer(some).items():
                by_row.setdefault(row, []).append(scores)
    return {row: video_scores(torch.cat(scores)[None], rule, task)[0] for row, scores in by_row.items()}


def check(parity: Parity, precision: Precision, *, tolerance: float | None, is_forced: bool) -> None:
    """Refuse a file that answers otherwise.

    Args:
        parity: what was found.
        precision: of the file.
        tolerance: largest difference that is taken; None for that of the precision.
        is_forced: whether int8 may lose more than :data:`MAX_LOSS`, or an accuracy that is not known.

    Raises:
        ExportError: it differs by more, or loses more.
    """
    most = TOLERANCE[precision] if tolerance is None else tolerance
    if parity.largest_difference > most:
        raise ExportError(
            f"the exported file differs by {parity.largest_difference:.2g} ({parity.where}), and {most:g} is allowed "
            f"for {precision}: no file is left; pass --tolerance to allow more"
        )
    if precision != "int8" or is_forced:
        return
    if parity.loss is None:
        raise ExportError(UNKNOWN)
    if parity.loss > MAX_LOSS:
        raise ExportError(
            f"int8 loses {100 * parity.loss:.1f} points of {parity.metric} ({parity.accuracy_before:.3f} before, "
            f"{parity.accuracy_after:.3f} after), and {100 * MAX_LOSS:g} is allowed: no file is left; pass fp16, or "
            "--force to write it all the same"
        )

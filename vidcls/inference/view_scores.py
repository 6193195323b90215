"""Logits of the views of a video -> the probabilities of the video, averaged as such or before."""

from __future__ import annotations

from torch import Tensor

from vidcls.tasks import Task
from vidcls.types import ScoreRule


def view_scores(logits: Tensor, rule: ScoreRule, task: Task) -> Tensor:
    """Logits ``(..., K)`` of views -> what is to be averaged over them, float32."""
    return logits.float() if rule == "logits" else task.probabilities(logits)


def video_scores(by_view: Tensor, rule: ScoreRule, task: Task) -> Tensor:
    """What :func:`view_scores` gives, ``(B, V, K)`` -> the probabilities ``(B, K)`` of the videos."""
    mean = by_view.mean(dim=1)  # (B, K)
    return task.probabilities(mean) if rule == "logits" else mean

"""Logits of the views of a video -> the probabilities of the video, averaged after softmax or before it."""

from __future__ import annotations

from torch import Tensor

from vidcls.types import ScoreRule


def view_scores(logits: Tensor, rule: ScoreRule) -> Tensor:
    """Logits ``(..., K)`` of views -> what is to be averaged over them, float32."""
    return logits.float() if rule == "logits" else logits.float().softmax(dim=-1)


def video_scores(by_view: Tensor, rule: ScoreRule) -> Tensor:
    """What :func:`view_scores` gives, ``(B, V, K)`` -> the probabilities ``(B, K)`` of the videos."""
    mean = by_view.mean(dim=1)  # (B, K)
    return mean.softmax(dim=-1) if rule == "logits" else mean

"""A clip of several snippets <-> one clip each: how a network that sees a stretch of time meets S of them."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from vidcls.types import ClipSettings

SnippetUse = Literal["average", "join"]
"""``average``: each snippet is a clip of its own, the logits are averaged. ``join``: all are one clip, in order."""


def num_clips(clip: ClipSettings, snippets: SnippetUse) -> int:
    """S where each snippet is scored apart, else 1."""
    return clip.num_snippets if snippets == "average" else 1


def num_frames(clip: ClipSettings, snippets: SnippetUse) -> int:
    """T of what the network sees at once."""
    return clip.num_snippets * clip.clip_len // num_clips(clip, snippets)


def frames_over_time(model: str, clip: ClipSettings, snippets: SnippetUse) -> int:
    """T of what a network that spans time sees at once.

    Args:
        model: its name, for the message.
        clip: of the data.
        snippets: what becomes of several.

    Raises:
        ValueError: it is a single frame.
    """
    T = num_frames(clip, snippets)
    if T < 2:
        raise ValueError(f"{model} needs at least two frames, got {T}: raise clip_len, or join several snippets")
    return T


def split_clips(stream: Tensor, num_clips: int) -> Tensor:
    """``(B, C, S*T, H, W)`` -> ``(B*S, C, T, H, W)``."""
    return stream.unflatten(2, (num_clips, -1)).transpose(1, 2).flatten(0, 1)


def average_clips(logits: Tensor, num_clips: int) -> Tensor:
    """``(B*S, K)`` -> ``(B, K)``: the segmental consensus (Wang et al.: Temporal Segment Networks, ECCV 2016)."""
    return logits.unflatten(0, (-1, num_clips)).mean(dim=1)


def as_frames(clip: Tensor) -> Tensor:
    """``(B, C, T, H, W)`` -> ``(B*T, C, H, W)``."""
    return clip.transpose(1, 2).flatten(0, 1)


def as_clip(frames: Tensor, num_frames: int) -> Tensor:
    """``(B*T, C, H, W)`` -> ``(B, C, T, H, W)``."""
    return frames.unflatten(0, (-1, num_frames)).transpose(1, 2)

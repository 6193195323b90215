"""One kind of thing that would spoil a training, or might."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found, and where.

    Args:
        kind: one or two words, always the same for the same thing.
        is_problem: whether something should be done about it; else it is only good to know.
        title: such as ``2 videos are empty``.
        lines: a line for each video, group or class.
        remedy: what to do.
    """

    kind: str
    is_problem: bool
    title: str
    lines: tuple[str, ...]
    remedy: str = ""

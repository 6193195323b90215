"""What tells one version of an object from another."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """What tells an object from what else was, or will be, at its address.

    Args:
        num_bytes: its size.
        version: its ETag, or what the server has in its place; empty where it has nothing.
    """

    num_bytes: int
    version: str

"""Videos -> what is known of their groups, in numbers and in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownGroups:
    """How much is known of what belongs together: persons, sessions, source videos.

    Args:
        num_videos: all.
        num_grouped: those whose group is known; each other one counts as a group of its own.
        num_groups: different groups that are known.
    """

    num_videos: int
    num_grouped: int
    num_groups: int

    @classmethod
    def of(cls, groups: Iterable[str | None]) -> KnownGroups:
        """From the group of each video; None or empty text where it is not known."""
        listed = list(groups)
        known = [group for group in listed if group]
        return cls(len(listed), len(known), len(set(known)))

    @property
    def text(self) -> str:
        """In a few words, such as ``21 groups``.

        >>> KnownGroups.of([None, None]).text
        'not known'
        >>> KnownGroups.of(["a", "a", "b"]).text
        '2 groups of 3 videos'
        >>> KnownGroups.of(["a", "a", None]).text
        '1 group of 2 videos; not known for 1 other'
        """
        if not self.num_grouped:
            return "not known"
        named = f"{_counted(self.num_groups, 'group')} of {_counted(self.num_grouped, 'video')}"
        others = self.num_videos - self.num_grouped
        return f"{named}; not known for {_counted(others, 'other')}" if others else named

    def to_dict(self) -> dict[str, int]:
        """For files."""
        return {"num_videos": self.num_videos, "num_grouped": self.num_grouped, "num_groups": self.num_groups}


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")

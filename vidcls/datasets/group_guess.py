"""File names -> a regular expression that may tell the group of each video: a guess to be shown, never taken."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from vidcls.datasets.group_pattern import group_in
from vidcls.errors import DatasetError
from vidcls.types import VideoRecord

LEAST_GROUPS = 6  # one more than the usual folds
LEAST_MEAN = 1.5  # videos in a group; fewer and most groups are single videos
MOST_SHARE = 0.5  # of the videos in the largest group: more is no group but the name of the data set
SEPARATORS = "_- ."
MOST_PARTS = 4  # of a name that are looked at from either end
NUMBERED = r"[A-Za-z]{0,5}\d+"  # 012, c02, clip3, part7: counts the clips of one source


@dataclass(frozen=True, slots=True)
class GroupGuess:
    """A pattern and what it would give.

    Args:
        pattern: for ``group_pattern``.
        groups: the videos of each group, by its name, the largest groups first.
    """

    pattern: str
    groups: dict[str, list[VideoRecord]]

    @property
    def option(self) -> str:
        """As it is typed."""
        return f"--data.dataset.group_pattern {shlex.quote(self.pattern)}"

    @property
    def examples(self) -> str:
        """The two largest groups with a video of each."""
        return " and ".join(
            f"{name} ({len(members)} videos, such as {PurePosixPath(members[0].name).name})"
            for name, members in list(self.groups.items())[:2]
        )

    @property
    def num_shared_in_test(self) -> int:
        """Test videos whose group would be in training too."""
        shared = [members for members in self.groups.values() if any(record.split == "train" for record in members)]
        return sum(record.split == "test" for members in shared for record in members)


def guessed_group_pattern(records: Sequence[VideoRecord]) -> GroupGuess | None:
    """The pattern that gives the fewest groups, of those that make sense; None where none does.

    Fewer, larger groups are the guess that errs on the honest side. A pattern makes sense where it finds a group in
    every name, several videos in most groups, more groups than classes and than usual folds, none that holds half of
    the videos, and not the classes again.

    Args:
        records: of a data set whose videos have no group.
    """
    if any(record.group is not None for record in records):
        return None
    found = [guess for pattern in _candidates(records) if (guess := _guess(pattern, records)) is not None]
    return min(found, key=lambda guess: (len(guess.groups), len(guess.pattern)), default=None)


def searched_name(record: VideoRecord) -> str:
    """What a pattern is searched in: the last folder and the file."""
    return "/".join(record.name.split("/")[-2:])


def _candidates(records: Sequence[VideoRecord]) -> Iterator[str]:
    """Expressions for a name in parts: all but some numbered ones at its end, or some of the parts at its beginning."""
    stems = [PurePosixPath(record.name).stem for record in records]
    for separator in SEPARATORS:
        parts = [stem.split(separator) for stem in stems]
        least = min((len(found) for found in parts), default=0)
        if least < 2:
            continue
        mark, inside = re.escape(separator).replace("\\ ", " ").replace("\\-", "-"), re.escape(separator)
        for count in range(1, min(least, MOST_PARTS)):
            ends = [part for found in parts for part in found[-count:]]
            if all(re.fullmatch(r"\d+", part) for part in ends):
                yield r"([^/]+)" + (mark + r"\d+") * count + r"\."
            elif all(re.fullmatch(NUMBERED, part) for part in ends):
                yield r"([^/]+)" + (mark + NUMBERED) * count + r"\."
        if all(len(found) == least for found in parts):
            one = f"[^/{inside}]+"
            for count in range(1, min(least, MOST_PARTS)):
                yield f"({mark.join([one] * count)}){mark}[^/]*$"


def _guess(pattern: str, records: Sequence[VideoRecord]) -> GroupGuess | None:
    """What the pattern gives, where that makes sense."""
    compiled = re.compile(pattern)
    groups: dict[str, list[VideoRecord]] = {}
    for record in records:
        try:
            groups.setdefault(group_in(compiled, searched_name(record), record.name), []).append(record)
        except DatasetError:
            return None
    classes = {name for record in records for name in record.classes}
    sizes = sorted((len(members) for members in groups.values()), reverse=True)
    num_together = sum(size for size in sizes if size > 1)
    makes_sense = (
        len(groups) >= max(LEAST_GROUPS, len(classes) + 1)
        and len(records) >= LEAST_MEAN * len(groups)
        and num_together >= len(records) / 2
        and sizes[0] <= MOST_SHARE * len(records)
    )
    if not makes_sense:
        return None
    return GroupGuess(pattern, dict(sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))))

"""What the members say of videos of classes that they do not know -> what the ensemble says of them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidcls.ensembles.members import Member, aligned
from vidcls.ensembles.weights import combined
from vidcls.errors import ConfigurationError, listed
from vidcls.files import write_csv
from vidcls.runs.folder import LEFT_OUT_FILE
from vidcls.runs.results import ScoredVideos
from vidcls.runs.score_files import read_with_labels, score_rows
from vidcls.runs.selective import unknown_test_in
from vidcls.tasks.ensemble import Ensemble


@dataclass(frozen=True)
class LeftOut:
    """Test videos of classes that no member knows.

    Args:
        videos: with the scores of the ensemble, and without labels.
        labels: their classes as text ``(N,)``.
        class_names: the names of these classes.
    """

    videos: ScoredVideos
    labels: tuple[str, ...]
    class_names: tuple[str, ...]

    def write(self, folder: Path) -> None:
        """Write the table, as a test does."""
        write_csv(folder / LEFT_OUT_FILE, score_rows(self.videos, labels=self.labels))


def left_out_of(members: Sequence[Member], ensemble: Ensemble) -> LeftOut | None:
    """The videos of this kind that every member has scored; None where one of them scored none.

    Raises:
        ConfigurationError: a file is damaged, or members left out different classes or scored different videos.
    """
    names = [_left_out_classes(member) for member in members]
    if not all(names):
        return None
    found = [_read(member) for member in members]
    first, labels = found[0]
    expected = dict(zip(first.paths, labels, strict=True))
    for member, own, (videos, theirs) in zip(members, names, found, strict=True):
        both = f"{member.run.folder} and {members[0].run.folder}"
        if set(own) != set(names[0]):
            raise ConfigurationError(
                f"{both}: left out {listed(own)} and {listed(names[0])}: train them with the same "
                "--data.left_out_classes"
            )
        odd = sorted(dict(zip(videos.paths, theirs, strict=True)).items() ^ expected.items())
        if odd:
            raise ConfigurationError(
                f"{both}: {odd[0][0]}, a video of a class that was left out, was scored by one of them alone: test "
                "them again on the same list"
            )
    in_order = [aligned(videos, ensemble.class_names, first.paths) for videos, _ in found]
    return LeftOut(combined(ensemble, in_order), labels, names[0])


def _left_out_classes(member: Member) -> tuple[str, ...]:
    tested = unknown_test_in(member.run.summary)
    return tested.left_out_classes if tested is not None and tested.num_left_out else ()


def _read(member: Member) -> tuple[ScoredVideos, tuple[str, ...]]:
    file = member.run.folder / LEFT_OUT_FILE
    try:
        videos, labels = read_with_labels(file, member.run.videos.class_names, member.run.videos.task)
        if not np.isfinite(videos.scores).all():
            raise ValueError("scores that are NaN or infinite")
    except (OSError, KeyError, ValueError, csv.Error) as error:
        raise ConfigurationError(
            f"{file}: cannot be read ({type(error).__name__}: {' '.join(str(error).split())}): vidcls test --run "
            f"{member.run.folder} writes it again"
        ) from error
    return videos, labels

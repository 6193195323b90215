"""Records -> what a user should know where nobody has told which videos are of one source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vidcls.checks.cache import CheckCache, CheckedVideo, default_folder
from vidcls.checks.duplicates import group_of
from vidcls.checks.finding import Finding
from vidcls.checks.near_duplicates import near_duplicate_title, near_duplicates
from vidcls.datasets.group_guess import guessed_group_pattern
from vidcls.datasets.groups import KnownGroups
from vidcls.datasets.record_facts import known_groups, split_counts
from vidcls.types import VideoRecord
from vidcls.video.reader import Backend
from vidcls.video.source import VideoSource

RISK = "clips of one recording, person or place may be in training and in the test"


def unknown_group_findings(records: Sequence[VideoRecord], *, takes_pattern: bool) -> Iterator[Finding]:
    """That no groups are known, or not those of all videos, with a guess from the file names.

    Args:
        records: of the whole data set.
        takes_pattern: whether the data set has the option ``group_pattern``.
    """
    groups = [group_of(record) for record in records]
    known = KnownGroups.of(groups)
    if known.num_grouped == known.num_videos:
        return
    if known.num_grouped:
        lines = [record.name for record, group in zip(records, groups, strict=True) if group is None]
        title = f"groups are not known for {len(lines)} of {len(records)} videos: each counts as a group of its own"
        yield Finding("unknown groups", False, title, tuple(lines), f"tell their groups: {RISK}")
        return
    lines = [f"each of the {len(records)} videos counts as a group of its own"]
    guess = guessed_group_pattern(records) if takes_pattern else None
    if guess is not None:
        num_test = sum(record.split == "test" for record in records)
        lines += [
            f"a guess from the file names, which is not used: {guess.option}",
            f"it gives {len(guess.groups)} groups: {guess.examples}, ...",
        ]
        if guess.num_shared_in_test:
            lines.append(f"by it {guess.num_shared_in_test} of {num_test} test videos are of a group in training")
    how = ["a column group in a csv file"]
    how += ["--data.dataset.group_pattern with a regular expression for the file names"] if takes_pattern else []
    yield Finding(
        "unknown groups",
        False,
        f"groups are not known: {RISK}",
        tuple(lines),
        f"tell them by {' or '.join(reversed(how))}",
    )


def groups_text(records: Sequence[VideoRecord], *, decoder: Backend | None = None) -> str:
    """What is known of the groups in a few words, for the first lines of a training.

    Where nothing is known it adds what an earlier check of these files, if there was one, says of videos that look like
    a training video. No video is opened.

    Args:
        records: of all splits.
        decoder: the one that they are read with; None for all in turn.
    """
    known = known_groups(records)
    if known.num_grouped or split_counts(records).keys() <= {"train"}:
        return known.text
    pairs = near_duplicates(records, examined_before(records, decoder=decoder))
    return f"{known.text}; {near_duplicate_title(records, pairs)}" if pairs else f"{known.text}: {RISK}"


def examined_before(
    records: Sequence[VideoRecord], *, decoder: Backend | None = None
) -> dict[VideoSource, CheckedVideo]:
    """What an earlier check found out about the files as they are now; empty where it left some out."""
    folder = default_folder()
    if not folder.is_dir():
        return {}
    cache = CheckCache(folder, decoder=decoder)
    found: dict[VideoSource, CheckedVideo] = {}
    for record in records:
        checked = cache.find(record.source)
        if checked is None:
            return {}
        found[record.source] = checked
    return found

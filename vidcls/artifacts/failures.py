"""``failures.csv`` beside the files of videos: which of them are not there, and why."""

from __future__ import annotations

import csv
from collections.abc import Container, Sequence

from vidcls.files import printable
from vidcls.remote.places import Place
from vidcls.remote.whole_files import open_text, remove_file, write_csv

FAILURES_NAME = "failures.csv"
Failures = Sequence[tuple[str, str]]


def write_failures(root: Place, failures: Failures, *, done: Container[str] | None = None) -> list[tuple[str, str]]:
    """Write the name of each video that failed with the reason, in order of name; the file goes where there are none.

    Args:
        root: the folder.
        failures: of this command.
        done: the names of all videos that a shard worked on; what the file says of others stays. None for a command
            on all videos.

    Returns:
        what the file says now.
    """
    path = root / FAILURES_NAME
    found = [(printable(name), reason) for name, reason in failures]
    if done is not None:
        found += [(name, reason) for name, reason in read_failures(root) if name not in done]
    found.sort()
    if found:
        write_csv(path, [("name", "reason"), *found])
    else:
        remove_file(path)
    return found


def read_failures(root: Place) -> list[tuple[str, str]]:
    """What it says; nothing where it is not there or damaged, as the next run writes it again."""
    try:
        with open_text(root / FAILURES_NAME) as file:
            return [(row["name"], row["reason"]) for row in csv.DictReader(file)]
    except (OSError, ValueError, KeyError, csv.Error):
        return []

"""Records and their digests -> videos that are there more than once, and groups that are in more than one split."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vidcls.checks.cache import CheckedVideo
from vidcls.checks.finding import Finding
from vidcls.types import VideoRecord
from vidcls.video.source import VideoSource

_UCF_GROUP = re.compile(r"(v_.+_g\d+)_c\d+$")


def copies(records: Sequence[VideoRecord], known: Mapping[VideoSource, CheckedVideo]) -> list[list[VideoRecord]]:
    """The videos, or parts, that are the same one: the same file, the same bytes, or the same pictures."""
    group_of: dict[str, list[VideoRecord]] = {}
    for record in records:
        health = known[record.source].health
        part = "" if record.part is None else record.part.fragment  # other parts of a video are other samples
        keys = [f"path {record.source}{part}"]
        keys += [f"bytes {health.digest}{part}"] if health.digest else []
        keys += [f"content {health.content_digest}{part}"] if health.content_digest and not health.num_unread else []
        together = next((group_of[key] for key in keys if key in group_of), [])
        together.append(record)
        for key in keys:
            group_of.setdefault(key, together)
    distinct = {id(group): group for group in group_of.values()}
    return [group for group in distinct.values() if len(group) > 1]


def duplicate_findings(records: Sequence[VideoRecord], known: Mapping[VideoSource, CheckedVideo]) -> Iterator[Finding]:
    """Copies with two labels, across splits, and within a split; the first two are the worse ones."""
    lines: dict[str, list[str]] = {"labels": [], "splits": [], "split": []}
    for group in copies(records, known):
        if len({frozenset(record.classes) for record in group}) > 1:
            lines["labels"].append(", ".join(f"{record.name} ({record.label})" for record in group))
        elif len({record.split for record in group}) > 1:
            lines["splits"].append(", ".join(f"{record.name} ({record.split})" for record in group))
        else:
            lines["split"].append(", ".join(record.name for record in group))
    if lines["labels"]:
        title = f"{_times(lines['labels'])} with different labels"
        yield Finding("two labels", True, title, tuple(lines["labels"]), "find out which label is right")
    if lines["splits"]:
        title = f"{_times(lines['splits'])} in different splits: the test does not test them"
        yield Finding("leak", True, title, tuple(lines["splits"]), "keep one copy; --fix_list keeps that of the test")
    if lines["split"]:
        title = f"{_times(lines['split'])} in one split"
        yield Finding("duplicate", True, title, tuple(lines["split"]), "keep one copy of each")


def group_of(record: VideoRecord) -> str | None:
    """The group of a record; where none is given, that of a file named as in UCF101: ``v_Class_g01_c02.avi``."""
    if record.group is not None:
        return record.group
    match = _UCF_GROUP.search(Path(record.name).stem)
    return match.group(1) if match else None


def spread_groups(records: Sequence[VideoRecord]) -> dict[str, list[VideoRecord]]:
    """The videos of each group that is in more than one split."""
    members: dict[str, list[VideoRecord]] = {}
    for record in records:
        group = group_of(record)
        if group is not None:
            members.setdefault(group, []).append(record)
    return {name: group for name, group in members.items() if len({record.split for record in group}) > 1}


def group_findings(records: Sequence[VideoRecord]) -> Iterator[Finding]:
    """The groups that are in more than one split."""
    spread = spread_groups(records)
    if not spread:
        return
    lines = []
    for name, group in sorted(spread.items()):
        splits = [f"{split} {sum(r.split == split for r in group)}" for split in ("train", "val", "test")]
        lines.append(f"{name}: {', '.join(splits)}")
    title = "1 group is" if len(spread) == 1 else f"{len(spread)} groups are"
    remedy = "put each group into one split, or cut by group: a column group, group_pattern, or --data.num_folds"
    yield Finding("spread group", True, f"{title} in more than one split", tuple(lines), remedy)


def _times(lines: Sequence[str]) -> str:
    return "1 video is there more than once," if len(lines) == 1 else f"{len(lines)} videos are there more than once,"

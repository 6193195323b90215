"""A folder per class -> records."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from vidcls.datasets.base import VideoDataset, settle
from vidcls.datasets.checks import first_few, raised_or_noted
from vidcls.datasets.entries import Entry, existing_folder
from vidcls.datasets.splits import check_fractions
from vidcls.datasets.video_csv import SPLIT_WORDS
from vidcls.datasets.video_files import videos_below, videos_directly_in, visible_folders
from vidcls.errors import DatasetError
from vidcls.types import Split


class VideoFolder(VideoDataset):
    r"""Videos in one folder per class, at any depth inside it, sorted by name.

    ::

        root/walk/a.mp4             root/train/walk/a.mp4
        root/walk/monday/b.mp4      root/train/sit/b.mp4
        root/sit/c.mp4              root/test/walk/c.mp4

    On the left the three parts are cut by class and, with ``group_pattern``, by group. On the right (the folders are
    called train, val or validation, test, and nothing else) the parts are as given; where there is no val, it is cut
    from train in the same way, never from test, and where there is no test, there is none. Hidden files and files
    without a video suffix are left out.

    Args:
        root: the folder that holds the class folders, or train, val and test.
        val_fraction: share of the videos for validation; of the training part where test is given.
        test_fraction: share of the videos for testing; unused where the parts are given.
        seed: of the cut.
        group_pattern: regular expression searched in ``class/file``; its first bracket is the group, such as
            ``(person\d+)_``.
        classes: take these class folders only; default: all.

    Raises:
        DatasetError: a folder is missing or holds no video, a video has no class or no group, or a group is in two
            parts.
        ValueError: ``group_pattern`` is not a regular expression with a bracket, or the fractions are not shares.
    """

    def __init__(
        self,
        root: Path,
        *,
        val_fraction: float = 0.15,
        test_fraction: float = 0.15,
        seed: int = 0,
        group_pattern: str | None = None,
        classes: list[str] | None = None,
    ) -> None:
        check_fractions(val_fraction, test_fraction)
        pattern = None if group_pattern is None else _compiled(group_pattern)
        folder = existing_folder(root, what="folder of the videos")
        entries: list[Entry] = []
        for split, part in _parts(folder):
            entries.extend(_entries(folder, part, split, pattern, classes))
        super().__init__(
            folder,
            settle(
                entries,
                source=str(folder),
                val_fraction=val_fraction,
                test_fraction=test_fraction,
                seed=seed,
                files_exist=True,
            ),
        )


def _parts(root: Path) -> list[tuple[Split | None, Path]]:
    folders = visible_folders(root)
    words = {name: SPLIT_WORDS[name.lower()] for name in folders if name.lower() in SPLIT_WORDS}
    if "train" not in words.values():
        if folders and len(words) == len(folders):
            raise DatasetError(
                f"{root} holds {', '.join(words)} but no train; add the folder train, or give its parent"
            )
        return [(None, root)]
    if len(words) < len(folders):
        others = [name for name in folders if name not in words]
        if len(words) == 1 and videos_directly_in(
            root / next(iter(words))
        ):  # a class that is called train, beside others
            return [(None, root)]
        raise DatasetError(
            f"{root} holds both parts ({', '.join(words)}) and other folders ({first_few(others)}); move the others "
            "away, or put class folders into the parts"
        )
    if len(set(words.values())) < len(words):
        raise DatasetError(f"{root} holds one part twice: {', '.join(words)}; join the folders")
    _no_videos_in(root)
    return [(split, root / name) for name, split in sorted(words.items())]


def _entries(
    root: Path, part: Path, split: Split | None, pattern: re.Pattern[str] | None, classes: Sequence[str] | None
) -> Iterator[Entry]:
    folders = visible_folders(part)
    if classes is not None:
        absent = [name for name in classes if name not in folders]
        if absent and split in (None, "train"):
            raise DatasetError(
                f"no folder for the classes {first_few(absent)} in {part}; found {first_few(folders) or 'none'}"
            )
        folders = [name for name in folders if name in classes]
    _no_videos_in(part)
    prefix = "" if part == root else f"{part.name}/"
    for label in folders:
        names = videos_below(part / label)
        if not names:
            with raised_or_noted():
                raise DatasetError(f"no video in the class folder {part / label}; add videos or remove the folder")
        for name in names:
            group = None if pattern is None else _group(pattern, f"{label}/{name}", part)
            yield Entry(f"{part}/{label}/{name}", label, f"{prefix}{label}/{name}", split, group)


def _no_videos_in(folder: Path) -> None:
    loose = videos_directly_in(folder)
    if loose:
        with raised_or_noted():
            raise DatasetError(
                f"videos without a class in {folder}: {first_few(loose)}; move each into the folder of its class"
            )


def _compiled(group_pattern: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(group_pattern)
    except re.error as error:
        raise ValueError(f"group_pattern {group_pattern!r} is not a regular expression: {error}") from error
    if not pattern.groups:
        raise ValueError(
            f"group_pattern {group_pattern!r} has no bracket: expected one around the group, as in '(person\\d+)_'"
        )
    return pattern


def _group(pattern: re.Pattern[str], name: str, part: Path) -> str:
    match = pattern.search(name)
    if match is None or not match.group(1):
        raise DatasetError(
            f"{part / name}: no group found by group_pattern {pattern.pattern!r}; rename the file or widen the pattern"
        )
    return match.group(1)

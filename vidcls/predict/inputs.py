"""Files, folders and patterns -> the list of videos to predict, and a name for what is written about each."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from vidcls.datasets import videos_below
from vidcls.datasets.video_files import is_video
from vidcls.errors import DatasetError


def find_videos(wanted: Sequence[str]) -> list[Path]:
    """The videos that are meant, in the order given, each once.

    A file is taken whatever its suffix. A folder gives every video below it, sorted; a pattern such as ``clips/*.mp4``
    or ``clips/**/*.mp4`` gives the videos and folders that match, for shells that do not expand it.

    Raises:
        DatasetError: something is not there, or a folder or pattern has no video.
    """
    found: dict[str, Path] = {}  # by real path, so that a link and its target count once
    for name in wanted:
        for path in _videos_of(name):
            found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def names_below_common_folder(paths: Sequence[Path]) -> list[str]:
    """A relative name for each file, with forward slashes, that no two of them share.

    >>> names_below_common_folder([Path("clips/a/x.mp4"), Path("clips/b/x.mp4")])
    ['a/x.mp4', 'b/x.mp4']
    """
    absolute = [os.path.abspath(path) for path in paths]  # noqa: PTH100 - resolves `..` but not links
    common = os.path.commonpath([os.path.dirname(path) for path in absolute])  # noqa: PTH120
    return [Path(os.path.relpath(path, common)).as_posix() for path in absolute]


def _videos_of(name: str) -> Iterator[Path]:
    path = Path(name).expanduser()
    if path.is_dir():
        videos = _videos_in_folder(path)
        if not videos:
            raise DatasetError(f"{path}: there is no video in this folder; check the path and the files' suffixes")
        yield from videos
    elif path.exists():
        yield path
    elif glob.has_magic(name):
        yield from _videos_by_pattern(path)
    else:
        raise DatasetError(f"{path}: no such file or folder; check the path")


def _videos_in_folder(folder: Path) -> list[Path]:
    try:
        return [folder / name for name in videos_below(folder)]
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be listed ({error.strerror}); check its permissions") from error


def _videos_by_pattern(pattern: Path) -> list[Path]:
    videos: list[Path] = []
    for match in sorted(Path(name) for name in glob.glob(str(pattern), recursive=True)):  # noqa: PTH207 - `**` and links
        if match.is_dir():
            videos += _videos_in_folder(match)
        elif is_video(match.name):
            videos.append(match)
    if not videos:
        raise DatasetError(f"{pattern}: no video matches this pattern; check the path and the files' suffixes")
    return videos

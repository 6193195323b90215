"""A folder -> the video files in it; paths -> those that are missing. Lists each folder once, opens no video."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

# fmt: off
VIDEO_SUFFIXES = frozenset({
    ".3gp", ".asf", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf",
    ".ogv", ".ts", ".vob", ".webm", ".wmv",
})
# fmt: on


def is_video(file_name: str) -> bool:
    """Whether a file name looks like a video: a known suffix in any case, and not hidden."""
    return not file_name.startswith(".") and os.path.splitext(file_name)[1].lower() in VIDEO_SUFFIXES  # noqa: PTH122


def visible_folders(folder: Path) -> list[str]:
    """Names of the sub-folders that are not hidden, sorted; links are followed."""
    with os.scandir(folder) as listing:
        return sorted(item.name for item in listing if not item.name.startswith(".") and item.is_dir())


def videos_directly_in(folder: Path) -> list[str]:
    """Names of the video files that lie in the folder itself, sorted."""
    with os.scandir(folder) as listing:
        return sorted(item.name for item in listing if is_video(item.name) and item.is_file())


def videos_below(folder: Path) -> list[str]:
    """Video files at any depth, relative with forward slashes, sorted; hidden files and folders are left out."""
    found: list[str] = []
    seen: set[str] = set()  # real folders, so that a link to a parent ends
    todo = [(str(folder), "")]
    while todo:
        here, prefix = todo.pop()
        real = os.path.realpath(here)
        if real in seen:
            continue
        seen.add(real)
        with os.scandir(here) as listing:
            for item in listing:
                if item.name.startswith("."):
                    continue
                if item.is_dir():
                    todo.append((item.path, f"{prefix}{item.name}/"))
                elif is_video(item.name) and item.is_file():
                    found.append(prefix + item.name)
    return sorted(found)


def missing_files(paths: Iterable[str]) -> set[str]:
    """Those paths at which no file lies; each folder is listed once, whatever the number of paths."""
    wanted: dict[str, set[str]] = {}
    for path in paths:
        folder, name = os.path.split(path)
        wanted.setdefault(folder, set()).add(name)
    missing: set[str] = set()
    for folder, names in wanted.items():
        try:
            with os.scandir(folder) as listing:
                absent = names.difference(item.name for item in listing if item.name in names and item.is_file())
        except OSError:  # no such folder, or one that may be entered but not listed
            absent = names
        candidates = (os.path.join(folder, name) for name in absent)  # noqa: PTH118
        # A second look: a file system may know the name in another case or another Unicode form than it lists.
        missing.update(path for path in candidates if not os.path.isfile(path))  # noqa: PTH113
    return missing

"""A folder -> the video files in it; paths -> those that are missing. Lists each folder once, opens no video."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

OVERLAY_SUFFIXES = (".mp4", ".mov", ".avi", ".mkv")
"""Of the videos that are written."""
# What the libraries of mime types call video and what FFmpeg's demuxers of video list as theirs; without the scripts
# and playlists that refer to other files (.m3u8, .ffconcat, .mpd, .avs) and without suffixes that mean something else
# more often (.dat, .bin, .ogg, .str).
# fmt: off
VIDEO_SUFFIXES = frozenset({
    ".264", ".265", ".266", ".3g2", ".3gp", ".3gp2", ".3gpp", ".3gpp2", ".amv", ".asf", ".avc", ".avi", ".bik", ".cavs",
    ".cine", ".dav", ".dif", ".divx", ".dv", ".dvr-ms", ".evo", ".f4p", ".f4v", ".flc", ".fli", ".flv", ".gif", ".gxf",
    ".h261", ".h263", ".h264", ".h265", ".h266", ".h26l", ".hevc", ".insv", ".ipu", ".ism", ".ismv", ".ivf", ".kux",
    ".lrv", ".lvf", ".m1v", ".m2p", ".m2t", ".m2ts", ".m2v", ".m4v", ".mj2", ".mjp2", ".mjpeg", ".mjpg", ".mk3d",
    ".mkv", ".mod", ".moflex", ".mov", ".movie", ".mp2v", ".mp4", ".mp4v", ".mpe", ".mpeg", ".mpg", ".mpg4", ".mpv",
    ".mpv2", ".mts", ".mxf", ".nsv", ".nut", ".nuv", ".obu", ".ogm", ".ogv", ".psp", ".qt", ".rm", ".rmvb", ".roq",
    ".rv", ".ser", ".swf", ".tod", ".tp", ".trp", ".ts", ".ty", ".vc1", ".viv", ".vob", ".vro", ".vvc", ".webm", ".wm",
    ".wmv", ".wtv", ".xmv", ".xvid", ".y4m", ".yop",
})
# Folders that operating systems, storage devices and tools leave in others; hidden ones go without saying.
SYSTEM_FOLDERS = frozenset({
    "__MACOSX", "__pycache__", "@eaDir", "@Recycle", "#recycle", "#snapshot", "$RECYCLE.BIN", "lost+found",
    "RECYCLER", "System Volume Information",
})
# fmt: on
PARQUET = ".parquet"
LIST_SUFFIXES = (".csv", ".tsv", ".txt", ".lst", ".list", PARQUET)
_SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini", "icon\r"})


@dataclass(slots=True)
class Listing:
    """What lies below a folder.

    Args:
        videos: relative with forward slashes, sorted.
        passed_over: other files by suffix, ``no suffix``, or the name of a folder with a slash; hidden ones and what
            an operating system writes for itself are not counted.
    """

    videos: list[str] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)


def is_video(file_name: str) -> bool:
    """Whether a file name looks like a video: a known suffix in any case, and not hidden."""
    return not file_name.startswith(".") and os.path.splitext(file_name)[1].lower() in VIDEO_SUFFIXES  # noqa: PTH122


def holds(test: Callable[[], bool]) -> bool:
    """The answer; no where a link leads round in a circle."""
    try:
        return test()
    except OSError:
        return False


def visible_folders(folder: Path) -> list[str]:
    """Names of the sub-folders that are neither hidden nor a system's own, sorted; links are followed."""
    with os.scandir(folder) as listing:
        return sorted(item.name for item in listing if is_visible(item.name) and holds(item.is_dir))


def videos_directly_in(folder: Path) -> list[str]:
    """Names of the video files that lie in the folder itself, sorted."""
    with os.scandir(folder) as listing:
        return sorted(item.name for item in listing if is_video(item.name) and holds(item.is_file))


def videos_below(folder: Path) -> list[str]:
    """Video files at any depth, relative with forward slashes, sorted; hidden files and folders are left out."""
    return listed_below(folder).videos


def listed_below(folder: Path) -> Listing:
    """Video files at any depth, and how many other files there are of each suffix."""
    found = Listing()
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
                if holds(item.is_dir):
                    if is_visible(item.name):
                        todo.append((item.path, f"{prefix}{item.name}/"))
                    else:
                        found.passed_over[f"{item.name}/"] += 1
                elif is_video(item.name) and holds(item.is_file):
                    found.videos.append(prefix + item.name)
                elif item.name.lower() not in _SYSTEM_FILES:
                    found.passed_over[os.path.splitext(item.name)[1].lower() or "no suffix"] += 1  # noqa: PTH122
    found.videos.sort()
    return found


def listing_of(names: Iterable[str]) -> Listing:
    """The same for names below a folder that a server has told, which knows no folders."""
    found = Listing()
    for name in names:
        *folders, file = name.split("/")
        hidden = next((folder for folder in folders if not is_visible(folder)), None)
        if hidden is not None:
            if not hidden.startswith("."):
                found.passed_over[f"{hidden}/"] += 1
        elif is_video(file):
            found.videos.append(name)
        elif not file.startswith(".") and file.lower() not in _SYSTEM_FILES:
            found.passed_over[os.path.splitext(file)[1].lower() or "no suffix"] += 1  # noqa: PTH122
    found.videos.sort()
    return found


def described(passed_over: Counter[str]) -> list[str]:
    """A line about what was skipped; none where nothing was.

    >>> described(Counter({".txt": 3, ".jpg": 2, "__MACOSX/": 1}))
    ['skipped files without a video suffix: .txt (3), .jpg (2); skipped system folders: __MACOSX/ (1)']
    """
    folders = Counter({name: number for name, number in passed_over.items() if name.endswith("/")})
    files = passed_over - folders
    kinds = {"skipped files without a video suffix": files, "skipped system folders": folders}
    parts = [f"{what}: {_counts(counter)}" for what, counter in kinds.items() if counter]
    return ["; ".join(parts)] if parts else []


def _counts(counter: Counter[str]) -> str:
    most = counter.most_common(8)
    more = len(counter) - len(most)
    return ", ".join(f"{name} ({number})" for name, number in most) + (f" and {more} more kinds" if more else "")


def is_visible(folder_name: str) -> bool:
    """Whether a folder is neither hidden nor a system's own."""
    return not folder_name.startswith(".") and folder_name not in SYSTEM_FOLDERS

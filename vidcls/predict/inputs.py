"""Files, folders and patterns -> the list of videos to predict, and a name for what is written about each."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from vidcls.errors import DatasetError
from vidcls.remote import check_allowed, is_address, is_web, listed, object_exists, shown
from vidcls.remote.addresses import normal
from vidcls.remote.live_addresses import shown_stream
from vidcls.video_files import is_video, listing_of, videos_below

FRAME_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm")
LIST_SUFFIXES = (".txt", ".lst", ".list", ".csv", ".tsv", ".json", ".m3u", ".m3u8")
LIVE = ("rtsp", "rtmp", "rtp", "udp", "tcp", "srt")
POSSIBLE = "predict reads video files, folders of them and patterns such as 'clips/*.mp4'"


def find_videos(wanted: Sequence[str]) -> list[Path | str]:
    """The videos that are meant, in the order given, each once.

    An address is one video where it ends as a video does, or is of a web server; else it is a folder of them.
    A file is taken whatever its suffix. A folder gives every video below it, sorted; a pattern such as ``clips/*.mp4``
    or ``clips/**/*.mp4`` gives the videos and folders that match, for shells that do not expand it.

    Raises:
        DatasetError: something is not there, is no file (an address, standard input, a pipe, a camera, a list of files,
            a folder of frames), or a folder or pattern has no video.
    """
    found: dict[str, Path | str] = {}  # by real path, so that a link and its target count once
    for name in wanted:
        for video in _videos_at(name) if is_address(name) and not Path(name).exists() else _videos_of(name):
            found.setdefault(os.path.realpath(video) if isinstance(video, Path) else video, video)
    return list(found.values())


def local_files(videos: Sequence[Path | str]) -> list[Path]:
    """Those that are files of this machine."""
    return [video for video in videos if isinstance(video, Path)]


def names_below_common_folder(videos: Sequence[Path | str]) -> list[str]:
    """A relative name for each file, with forward slashes, that no two of them share.

    >>> names_below_common_folder([Path("clips/a/x.mp4"), Path("clips/b/x.mp4")])
    ['a/x.mp4', 'b/x.mp4']
    """
    absolute = [os.path.abspath(_place(video)) for video in videos]  # noqa: PTH100 - resolves `..` but not links
    common = os.path.commonpath([os.path.dirname(path) for path in absolute])  # noqa: PTH120
    return [Path(os.path.relpath(path, common)).as_posix() for path in absolute]


def _place(video: Path | str) -> str:
    """As a path: an address as if its host, or its bucket, were a folder of this machine."""
    return str(video) if isinstance(video, Path) else "/" + shown(video).partition("://")[2].partition("?")[0]


def video_file(name: str) -> Path | str:
    """The one file that is meant.

    Raises:
        DatasetError: it is not a file, as in :func:`find_videos`, or a folder.
        ConfigurationError: an address that may not be read.
    """
    if is_address(name) and not Path(name).exists():
        return _remote(name)
    path = Path(name).expanduser()
    if path.is_dir():
        raise DatasetError(f"{name}: is a folder; name one video in it")
    reason = _why_no_file(name)
    if reason is not None:
        raise DatasetError(f"{name}: {reason}")
    if not path.exists():
        raise DatasetError(f"{name}: no such file; check the path")
    return path


def _why_no_file(name: str) -> str | None:
    """What a name is that stands for no file, and how to get one from it; None for a file, or a path to nowhere."""
    path = Path(name).expanduser()
    if name == "-" or (path.exists() and not path.is_file() and not path.is_dir()):
        what = "means standard input" if name == "-" else "is a pipe or a device"
        return f"{what}; {POSSIBLE}: write the video to a file first (cat > clip.mp4)"
    if name.isdecimal() and not path.exists():
        return (
            f"looks like the number of a camera; {POSSIBLE}: pass --source {name} --live, or record it first "
            "(ffmpeg -f v4l2 -i /dev/video0 clip.mp4)"
        )
    if name.startswith("@") and not path.exists():
        return f'looks like a list of files; {POSSIBLE}: pass the names in it (vidcls predict CKPT $(cat "{name[1:]}"))'
    return None


def _remote(address: str) -> str:
    """The address of one video, which may be read.

    Raises:
        DatasetError: it is a live stream.
        ConfigurationError: its protocol is not read, or was not allowed.
    """
    if address.partition("://")[0].lower() in LIVE:
        raise DatasetError(
            f"{shown_stream(address)}: is a live stream; {POSSIBLE}: pass --source ADDRESS --live, or record it first "
            "(ffmpeg -i ADDRESS -t 60 -c copy clip.mp4)"
        )
    check_allowed(address)
    return normal(address)


def _videos_at(address: str) -> Iterator[str]:
    video = _remote(address)
    if glob.has_magic(address) and not is_web(address) and not object_exists(address):
        raise DatasetError(f"{shown(video)}: patterns are not read at addresses: name the folder, or each video")
    if is_video(PurePosixPath(address).name) or is_web(address):
        yield video
        return
    names = listing_of(one.name for one in listed(address) if not one.is_folder).videos
    if not names and not object_exists(address):
        raise DatasetError(f"{shown(video)}: there is no object, and no video below it; check the address")
    yield from [f"{address.rstrip('/')}/{name}" for name in names] or [video]


def _why_no_video(folder: Path) -> str:
    """What a folder without a video has in the place of one."""
    frames = sum(path.suffix.lower() in FRAME_SUFFIXES for path in folder.iterdir())
    if frames > 1:
        return (
            f"has {frames} pictures and no video; {POSSIBLE}: make a video of the pictures first "
            "(ffmpeg -framerate 25 -pattern_type glob -i '*.jpg' -qscale 2 clip.mp4)"
        )
    return "there is no video in this folder; check the path and the files' suffixes"


def _videos_of(name: str) -> Iterator[Path]:
    path = Path(name).expanduser()
    reason = _why_no_file(name)
    if reason is not None:
        raise DatasetError(f"{name}: {reason}")
    if path.is_dir():
        videos = _videos_in_folder(path)
        if not videos:
            raise DatasetError(f"{path}: {_why_no_video(path)}")
        yield from videos
    elif path.is_file() and path.suffix.lower() in LIST_SUFFIXES and _is_text(path):
        raise DatasetError(
            f"{name}: is a list and no video; {POSSIBLE}: pass the names in it (vidcls predict CKPT $(cat LIST))"
        )
    elif path.exists():
        yield path
    elif glob.has_magic(name):
        yield from _videos_by_pattern(path)
    else:
        raise DatasetError(f"{name}: no such file or folder; check the path")


def _is_text(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(4096)
    return bool(start) and b"\0" not in start


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

"""``--overlay`` of ``vidcls predict`` and the videos -> a file for each of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vidcls.errors import ConfigurationError
from vidcls.video_files import OVERLAY_SUFFIXES


def overlay_paths(wanted: Path | None, videos: Sequence[Path | str]) -> list[Path | None]:
    """The file to write for each video; None where none is asked for.

    Raises:
        ConfigurationError: it cannot be written, or there is one file for several videos.
    """
    from vidcls.outputs import check_place
    from vidcls.predict.inputs import local_files, names_below_common_folder
    from vidcls.predict.overlay import overlay_path

    if wanted is None:
        return [None] * len(videos)
    names_file = bool(wanted.suffix) and not wanted.is_dir()
    if names_file and len(videos) > 1:
        raise ConfigurationError(f"--overlay {wanted}: there are {len(videos)} videos; pass a folder for all of them")
    if names_file and wanted.suffix.lower() not in OVERLAY_SUFFIXES:
        allowed = ", ".join(OVERLAY_SUFFIXES)
        raise ConfigurationError(f"--overlay {wanted}: suffix is {wanted.suffix!r}; allowed are {allowed}, or a folder")
    paths = [wanted] if names_file else [overlay_path(wanted, name) for name in names_below_common_folder(videos)]
    for path in paths:
        check_place(path, local_files(videos), option="--overlay")
    return [*paths]

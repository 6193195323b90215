"""Of which files the packets are decoded to find those that give no frame."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from vidcls.video import silent_packets
from vidcls.video.packets import list_packets

ORDINARY = [
    "h264 with B-frames and a long GOP",
    "h264 with open GOPs",
    "h264 in ts",
    "h264 in flv",
    "h264 with a gradual refresh",
    "mpeg4",
    "mpeg4 with B-frames",
    "mpeg program stream",
    "mjpeg of odd size",
    "variable rate",
    "cut without encoding",
    "8 bits with a palette",
    "cut without encoding, open groups",
    "raw motion jpeg",
]
SUSPICIOUS = [
    "h264 in avi",  # which does not say in what order its frames are shown
    "cut in an open group",
    "cut in an open group, program stream",
    "cut inside a group",
    "mpeg4 with empty frames",
]


@pytest.mark.parametrize("kind", [*ORDINARY, *SUSPICIOUS])
def test_of_ordinary_files_nothing_is_decoded_to_list_them(
    kind: str, clip_of: Callable[[str], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = clip_of(kind)
    path = tmp_path / clip.path.name  # type: ignore[attr-defined]
    shutil.copyfile(clip.path, path)  # type: ignore[attr-defined]
    opened: list[Path] = []
    open_best_stream = silent_packets.open_best_stream
    monkeypatch.setattr(
        silent_packets, "open_best_stream", lambda path: (opened.append(path), open_best_stream(path))[1]
    )
    assert list_packets(path).facts.num_frames == len(clip.frames)  # type: ignore[attr-defined]
    assert len(opened) == (kind in SUSPICIOUS)

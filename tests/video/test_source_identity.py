from __future__ import annotations

import os
from pathlib import Path

import pytest
from object_servers import Fault, S3Server

from vidcls.errors import SourceError, UnreachableError
from vidcls.video import RemoteFile
from vidcls.video.source_identity import SourceIdentity


def test_a_change_anywhere_in_a_small_video_changes_its_identity(tmp_path: Path) -> None:
    path, content = tmp_path / "small", bytearray(os.urandom(96 * 1024))
    path.write_bytes(content)
    before = SourceIdentity.of(path)
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    assert SourceIdentity.of(path) != before


def test_a_large_video_is_known_by_its_size_and_three_parts(tmp_path: Path) -> None:
    content = bytearray(os.urandom(400_000))
    path = tmp_path / "large"
    path.write_bytes(content)
    before = SourceIdentity.of(path)
    for place in (0, len(content) // 2, len(content) - 1):
        content[place] ^= 1
        path.write_bytes(content)
        assert SourceIdentity.of(path) != before
        content[place] ^= 1
    path.write_bytes(content + b"0")
    assert SourceIdentity.of(path) != before


def test_a_video_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"gone\.mp4 cannot be read .*put it back"):
        SourceIdentity.of(tmp_path / "gone.mp4")


def test_a_video_that_its_server_does_not_give_today_is_told_from_a_missing_one(s3: S3Server) -> None:
    address = s3.put("identity/a.mp4", b"video")
    s3.proxy.faults = [Fault(status=503, times=99, method="")]
    with pytest.raises(UnreachableError, match=f"^{address}: cannot be read: "):
        SourceIdentity.of(RemoteFile(address))
    s3.proxy.reset()
    with pytest.raises(SourceError, match=r"gone\.mp4 cannot be read"):
        SourceIdentity.of(RemoteFile(address.replace("/a.", "/gone.")))

"""The folder of uploads is emptied, whatever becomes of the server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from vidcls.serve.temporary import UploadFolder
from vidcls.serve.uploads import safe_suffix, shown_name

KILLED = """
import os, pathlib, signal, sys
from vidcls.serve.temporary import UploadFolder
folder = UploadFolder(pathlib.Path(sys.argv[1])).__enter__()
(folder.path / "upload.mp4").write_bytes(b"x")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_files_go_with_their_request_and_the_folder_with_the_server(tmp_path: Path) -> None:
    with UploadFolder(tmp_path) as folder:
        assert folder.path.stat().st_mode & 0o077 == 0
        with folder.file() as target:
            target.with_name(target.name + ".mp4").write_bytes(b"x")
            target.with_name(target.name + "-heat.mp4").write_bytes(b"y")
            assert folder.num_files() == 2
        assert folder.num_files() == 0
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_server_that_was_killed_is_removed_by_the_next(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    (left,) = tmp_path.iterdir()
    assert (left / "upload.mp4").is_file()
    with UploadFolder(tmp_path) as first, UploadFolder(tmp_path) as second:
        assert {first.path, second.path} == set(tmp_path.iterdir())  # that of a running server stays


def test_names_of_clients_are_names_and_no_more() -> None:
    assert shown_name("../../etc/passwd") == "passwd"
    assert shown_name("C:\\clips\\a.mp4") == "a.mp4"
    assert shown_name("a\n\x1b[2J.mp4") == "a\\n\\x1b[2J.mp4"
    assert shown_name("..") in ("..", "video")
    assert shown_name("") == "video"
    assert len(shown_name("x" * 5000)) <= 101
    assert [safe_suffix(name) for name in ("a.MP4", "a.jpeg.avi", "a", "a.mp4/../b", "a.b c", "a.x\0")] == [
        ".mp4",
        ".jpeg.avi",
        "",
        "",
        "",
        "",
    ]

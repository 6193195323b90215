"""Where a command may write is known before it computes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vidcls.errors import ConfigurationError
from vidcls.outputs import check_distinct, check_place


def test_a_place_that_is_no_file_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").mkdir()
    with pytest.raises(ConfigurationError, match=r"^OUT .*model\.onnx: this is a folder; pass a file in it$"):
        check_place(tmp_path / "model.onnx", [], option="OUT")


def test_a_pipe_or_a_device_is_never_replaced_by_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "null.csv").symlink_to(os.devnull)
    for name in ("pipe.csv", "null.csv"):
        with pytest.raises(ConfigurationError, match=f"{name}: is not a regular file; pass another name"):
            check_place(tmp_path / name, [], option="--output")
        check_place(tmp_path / name, [], option="--output", is_replaced=False)


def test_two_options_for_one_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "a.csv")
    for other in (tmp_path / "a.csv", tmp_path / "x" / ".." / "a.csv", tmp_path / "link.csv"):
        with pytest.raises(ConfigurationError, match=r"^--segments .*: --output writes there; pass another name$"):
            check_distinct({"--output": [tmp_path / "a.csv"], "--overlay": [None], "--segments": [None, other]})
    check_distinct({"--output": [tmp_path / "a.csv"], "--segments": [tmp_path / "b.csv", None]})


def test_a_file_in_a_folder_that_does_not_exist_yet_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text("old")
    check_place(tmp_path / "old.csv", [], option="--output")
    check_place(tmp_path / "new" / "folder" / "new.csv", [], option="--output")
    assert [path.name for path in tmp_path.iterdir()] == ["old.csv"]

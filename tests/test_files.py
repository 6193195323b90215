"""A file is written whole or not at all, whatever happens on the way."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from vidcls.files import atomic_write, remove_leftovers, write_csv, write_text


def test_the_text_is_the_whole_content_in_utf_8_and_folders_are_made(tmp_path: Path) -> None:
    file = tmp_path / "new" / "deep" / "a.txt"
    write_text(file, "Grüße, 世界\n")
    assert file.read_bytes() == "Grüße, 世界\n".encode()
    write_text(file, "short")
    assert file.read_text() == "short"
    assert list(file.parent.iterdir()) == [file]


def test_names_that_are_not_unicode_are_written_escaped_or_as_the_bytes_that_they_are(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.mp4")
    write_text(tmp_path / "a.txt", name)
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == r"caf\udce9.mp4"
    write_csv(tmp_path / "a.csv", [[name]])
    assert (tmp_path / "a.csv").read_text(encoding="utf-8") == "caf\\udce9.mp4\n"
    write_csv(tmp_path / "a.csv", [[name]], odd_names="kept")
    assert (tmp_path / "a.csv").read_bytes() == b"caf\xe9.mp4\n"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_on_the_way_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")

    def write_and_fail() -> None:
        with atomic_write(file) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write_and_fail()
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_folders_that_were_made_for_a_file_that_failed_are_removed_and_others_kept(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()

    def write_and_fail(file: Path) -> None:
        with atomic_write(file):
            raise ValueError

    for folder in ("new/deep", "mine/new", "mine"):
        with pytest.raises(ValueError):
            write_and_fail(tmp_path / folder / "a.txt")
    assert [path.name for path in tmp_path.rglob("*")] == ["mine"]


def test_the_old_file_stands_until_the_new_one_is_complete(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")
    with atomic_write(file) as temporary:
        temporary.write_text("new")
        assert temporary.parent == file.parent  # on the same disk, so that the rename is one step
        assert temporary.suffix == file.suffix  # by which writers of videos and pictures choose the format
        assert temporary.name.startswith(".")
        assert file.read_text() == "old"
    assert file.read_text() == "new"


@pytest.mark.skipif(os.name != "posix", reason="file modes as on POSIX systems")
def test_the_file_has_the_mode_that_any_new_file_has(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_text(tmp_path / "ours", "")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "ours")]
    assert modes[0] == modes[1]


def test_what_a_kill_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    kept = ["last.ckpt", ".last-ab.ckpt", ".last-abcdefgh.csv", ".best-abcdefgh.ckpt", ".other"]
    for name in (*kept, ".last-abcdefgh.ckpt", ".last-_bc1efgh.ckpt"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path / "last.ckpt")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)


def test_what_is_removed_has_the_name_that_a_kill_leaves(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "last.ckpt") as temporary:
        temporary.write_text("half")
        assert temporary.exists()
        remove_leftovers(tmp_path / "last.ckpt")
        assert not temporary.exists()
        temporary.touch()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_the_error_of_a_full_disk_names_the_file(tmp_path: Path, number: int) -> None:
    with pytest.raises(OSError, match=r"table\.csv") as caught, atomic_write(tmp_path / "table.csv"):
        raise OSError(number, "as a write says it")
    assert (caught.value.errno, caught.value.filename) == (number, str(tmp_path / "table.csv"))
    assert list(tmp_path.iterdir()) == []

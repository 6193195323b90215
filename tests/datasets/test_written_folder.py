from __future__ import annotations

import os
from pathlib import Path

import pytest

from vidcls.datasets import written_folder
from vidcls.datasets.written_folder import MANIFEST, is_whole, write_once


def write(folder: Path, *, made: bool = False) -> None:
    (folder / "deep").mkdir(parents=made)
    (folder / "deep/a.txt").write_text("a")
    (folder / "b.txt").write_text("b")


def must_not_run(folder: Path) -> None:
    raise AssertionError(f"written again: {folder}")


def test_a_folder_is_written_once_and_then_reused(tmp_path: Path) -> None:
    assert write_once(tmp_path / "cache/data", write)
    assert not write_once(tmp_path / "cache/data", must_not_run)
    assert (tmp_path / "cache/data/deep/a.txt").read_text() == "a"
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["data"]


def test_interrupted_writing_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    def interrupted(folder: Path) -> None:
        write(folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_once(tmp_path / "data", interrupted)
    assert list(tmp_path.iterdir()) == []
    assert write_once(tmp_path / "data", write)


@pytest.mark.parametrize("damage", ["missing", "cut", "changed", "broken manifest"])
def test_a_folder_that_is_not_whole_is_written_anew(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "data"
    write_once(folder, write)
    if damage == "missing":
        (folder / "b.txt").unlink()
    elif damage in ("cut", "changed"):
        (folder / "deep/a.txt").write_text("" if damage == "cut" else "x")
    else:
        (folder / MANIFEST).write_text('{"deep/a.txt": ')
    assert not is_whole(folder)
    assert write_once(folder, write)
    assert is_whole(folder)
    assert (folder / "deep/a.txt").read_text() == "a"
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_folder_that_was_not_written_here_is_left_alone(tmp_path: Path) -> None:
    write(folder := tmp_path / "data", made=True)
    before = sorted(path.name for path in folder.rglob("*"))
    with pytest.raises(FileExistsError, match="holds other files"):
        write_once(folder, must_not_run)
    assert sorted(path.name for path in folder.rglob("*")) == before
    assert list(tmp_path.iterdir()) == [folder]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    assert write_once(tmp_path / "data", write)
    assert is_whole(tmp_path / "data")


def test_of_two_writers_at_once_the_first_to_finish_wins_and_nothing_else_stays(tmp_path: Path) -> None:
    def overtaken(folder: Path) -> None:
        (folder / "half.txt").write_text("half")
        assert write_once(tmp_path / "data", write)  # as another process would, meanwhile
        (folder / "rest.txt").write_text("rest")

    write_once(tmp_path / "data", overtaken)
    assert is_whole(tmp_path / "data")
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["b.txt", "deep", MANIFEST]
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_leftovers_of_a_killed_process_are_removed_later(tmp_path: Path) -> None:
    old, young = tmp_path / ".data-old", tmp_path / ".data-young"
    for leftover in (old, young):
        leftover.mkdir()
    os.utime(old, (0, 0))
    write_once(tmp_path / "data", write)
    assert (old.exists(), young.exists()) == (False, True)


def test_a_writer_whose_damaged_folder_another_moves_aside_at_that_moment_puts_its_own_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, moved = tmp_path / "data", tmp_path / "moved"
    write_once(folder, write)
    (folder / "b.txt").write_text("changed later")

    def looked_at(path: Path) -> bool:
        found = is_whole(path)
        if list(tmp_path.glob(".data-*/b.txt")) and not moved.exists():  # between the look and the move of this writer
            folder.rename(moved)
        return found

    monkeypatch.setattr(written_folder, "is_whole", looked_at)
    assert write_once(folder, write)
    assert is_whole(folder)

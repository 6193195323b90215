"""A folder that is filled in one go is whole or empty, and never takes the place of another."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidcls.errors import ConfigurationError, FolderInUseError
from vidcls.new_folder import check_new, new_folder


def fail_half_way(folder: Path, elsewhere: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "file").touch()
    (folder / "link").symlink_to(elsewhere)
    raise KeyboardInterrupt


def test_what_was_filled_stays_and_is_all_that_stays(tmp_path: Path) -> None:
    with new_folder(tmp_path / "a" / "b", option="OUT"):
        (tmp_path / "a" / "b" / "file").touch()
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["file"]


@pytest.mark.parametrize("exists", [False, True])
def test_a_failure_leaves_the_folder_as_it_was(tmp_path: Path, exists: bool) -> None:
    folder, aside = tmp_path / "new", tmp_path / "aside"
    aside.mkdir()
    (aside / "kept").touch()
    if exists:
        folder.mkdir()
    with pytest.raises(KeyboardInterrupt), new_folder(folder, option="OUT"):
        fail_half_way(folder, aside)
    assert folder.exists() == exists
    assert [*folder.iterdir()] == [] if exists else True
    assert (aside / "kept").is_file()


def test_what_is_there_already_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").touch()
    for name in ("folder", "folder/file"):
        with pytest.raises(ConfigurationError, match=rf"^OUT .*{name}: already exists and is not an empty folder"):
            check_new(tmp_path / name, option="OUT")
    with pytest.raises(ConfigurationError, match="already exists"), new_folder(tmp_path / "folder", option="OUT"):
        pass
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["file"]


def test_a_second_command_is_refused_while_the_first_one_fills_it(tmp_path: Path) -> None:
    with new_folder(tmp_path / "new", option="OUT"):
        (tmp_path / "new" / "file").touch()
        with pytest.raises(FolderInUseError), new_folder(tmp_path / "new", option="OUT"):
            pass
    assert (tmp_path / "new" / "file").is_file()

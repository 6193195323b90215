"""A file has its name only when it is complete, and what dead processes left is removed."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from vidcls.artifacts.partial_files import PARTIAL_FOLDER, complete_file, process_is_running, remove_partial_files


def test_a_file_has_its_name_when_the_block_ends_well_and_only_then(tmp_path: Path) -> None:
    path = tmp_path / "walk" / "a.bin"
    with complete_file(tmp_path, path) as temporary:
        temporary.write_bytes(b"one")
        assert not path.exists()
    assert path.read_bytes() == b"one"
    with pytest.raises(FileNotFoundError), complete_file(tmp_path, path) as temporary:
        temporary.with_name("nowhere").rename(temporary)
    assert path.read_bytes() == b"one"
    assert not list((tmp_path / PARTIAL_FOLDER).iterdir())


def test_files_of_dead_processes_of_this_machine_are_removed_and_no_others(tmp_path: Path) -> None:
    dead = next(number for number in range(4_000_000, 5_000_000) if not process_is_running(number))
    folder, host = tmp_path / PARTIAL_FOLDER, socket.gethostname()
    folder.mkdir()
    names = {"dead": f"{host}-{dead}-0", "alive": f"{host}-{os.getpid()}-0", "elsewhere": f"not-{host}-{dead}-0"}
    for name in names.values():
        (folder / name).touch()
    remove_partial_files(tmp_path)
    assert {path.name for path in folder.iterdir()} == {names["alive"], names["elsewhere"]}


def test_a_file_of_another_machine_is_removed_when_nothing_has_written_to_it_for_a_day(tmp_path: Path) -> None:
    partial = tmp_path / PARTIAL_FOLDER
    partial.mkdir()
    fresh, old = partial / "node7-12-abc", partial / "node7-13-abc"
    for path in (fresh, old):
        path.touch()
    os.utime(old, (time.time() - 90_000,) * 2)
    remove_partial_files(tmp_path)
    assert [path.name for path in partial.iterdir()] == [fresh.name]

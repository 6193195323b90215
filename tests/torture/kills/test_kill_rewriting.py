"""What rewrites one file again and again, killed at any moment: there is the old file or the new one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch


def overwritten(children: Any, kills: Any, job: str, folder: Path, num_kills: int, **given: Any) -> list[str]:
    """Kill what writes one file again and again; contents that are neither the one nor the other."""
    file, found = folder / ("file.ckpt" if job == "checkpoints" else "file.txt"), []
    is_planted = "faults" in given
    while kills.num_kills < num_kills and not (found and is_planted):
        ended = children.run(folder, file, 10_000, job=job, aim=kills.aim(120, delay_seconds=0.002), **given)
        assert ended.was_killed, ended.output
        kills.places[ended.place] += 1
        is_good = not file.exists() or _is_of_one_number(file, job)
        kills.settle(is_lost=not is_good)
        found += [] if is_good else [f"{file.name}: {file.stat().st_size} bytes, killed in {ended.place}"]
    return found


def _is_of_one_number(file: Path, job: str) -> bool:
    if job == "texts":
        text = file.read_text()
        return len(text) == 400_000 and len(set(text)) == 1
    try:
        filled = torch.load(file, weights_only=True)["filled"]
    except Exception:  # noqa: BLE001 - torch has many ways to say that a file is none of its own
        return False
    return bool((filled == filled[0, 0]).all())


@pytest.mark.parametrize("job", ["checkpoints", pytest.param("texts", marks=pytest.mark.slow)])
def test_a_file_that_is_written_anew_is_the_old_or_the_new_one(
    children: Any, kills: Callable[[int], Any], tmp_path: Path, is_full: bool, tally: Callable[..., None], job: str
) -> None:
    counted = kills(60)
    found = overwritten(children, counted, job, tmp_path, 200 if is_full else 6)
    tally(f"kill -9 of writing {job}", recovered=counted.recovered, lost=counted.lost, note=counted.note())
    assert not found
    assert counted.num_inside >= counted.num_kills / 3, counted.note()


@pytest.mark.parametrize("job", ["checkpoints", "texts"])
def test_the_harness_catches_files_that_are_written_in_place(
    children: Any, kills: Callable[[int], Any], tmp_path: Path, job: str
) -> None:
    assert overwritten(children, kills(61), job, tmp_path, 60, faults=("writes_in_place",))


@pytest.mark.parametrize("job", ["checkpoints", "texts"])
@pytest.mark.parametrize("faults", [(), ("never_flushes",)])
def test_a_file_is_on_the_disk_before_it_gets_its_name_and_the_harness_catches_one_that_is_not(
    children: Any, tmp_path: Path, job: str, faults: tuple[str, ...]
) -> None:
    ended = children.run(tmp_path, tmp_path / "file.ckpt", 3, job=job, faults=faults)
    assert ended.unflushed(tmp_path) == [str(tmp_path / "file.ckpt")] * (3 if faults else 0)

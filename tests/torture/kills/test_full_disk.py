"""A full disk: one line that says where, exit status 2, what was whole before stays whole, and room lets it go on."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from vidcls.datasets import VideoCsv
from vidcls.datasets.written_folder import is_whole
from vidcls.flow import FlowStore

CONFIG = """
seed_everything: 1
model: {{class_path: SingleFrame, init_args: {{backbone: small, optimization: {{lr: 0.05, schedule: constant}}}}}}
data:
  dataset: {{class_path: VideoFolder, init_args: {{root: {root}}}}}
  batch_size: 4
  test_batch_size: 4
  num_workers: 0
  transform: {{resize_px: null, crop_px: 32, train_crop: center, flip_probability: 0.0}}
trainer: {{max_epochs: 2, accelerator: cpu, log_every_n_steps: 1, enable_progress_bar: false}}
"""
Disk = Callable[..., dict[str, Any]]


@pytest.fixture(params=["a limit for files", pytest.param("a small disk", marks=pytest.mark.slow)])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """``disk(folder, file_bytes=, more_bytes=)`` leaves no room in ``folder``; says how a child is to be run there."""
    mounted: list[Path] = []

    def limit(folder: Path, *, file_bytes: int, more_bytes: int) -> dict[str, Any]:
        return {"faults": ("full_disk",), "environment": {"FULL_DISK_BYTES": str(file_bytes)}}

    def small(folder: Path, *, file_bytes: int, more_bytes: int) -> dict[str, Any]:
        folder.mkdir(exist_ok=True)
        aside = tmp_path / "aside"
        shutil.copytree(folder, aside)
        size_bytes = sum(-(-path.stat().st_size // 4096) * 4096 for path in aside.rglob("*") if path.is_file())
        command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes + more_bytes}", "tmpfs", str(folder)]
        if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode != 0:
            pytest.skip("no small disk can be mounted here: that takes the rights of root")
        mounted.append(folder)
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        return {}

    yield limit if request.param == "a limit for files" else small
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def more_room(disk: Disk) -> Callable[[Path], None]:
    """Makes the small disk large."""

    def grow(folder: Path) -> None:
        if os.path.ismount(folder):
            subprocess.run(["mount", "-o", "remount,size=64m", str(folder)], check=True)

    return grow


@pytest.fixture
def config(clip_folder: Path, tmp_path: Path) -> Path:
    file = tmp_path / "tiny.yaml"
    file.write_text(CONFIG.format(root=clip_folder))
    return file


def weights(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def test_a_training_on_a_full_disk_keeps_its_checkpoint_and_goes_on_when_there_is_room(
    children: Any,
    config: Path,
    tmp_path: Path,
    disk: Disk,
    more_room: Callable[[Path], None],
    tally: Callable[..., None],
) -> None:
    place = tmp_path / "place"
    (tmp_path / "whole").mkdir()
    place.mkdir()
    assert children.run(tmp_path / "whole", "fit", "--config", config).status == 0
    assert children.run(place, "fit", "--config", config, "--trainer.max_epochs", 1).status == 0
    (run,) = (place / "runs" / "tiny").iterdir()
    last = run / "checkpoints" / "last.ckpt"
    before = last.read_bytes()
    full = disk(place, file_bytes=len(before) // 2, more_bytes=len(before) // 2)
    words = ("fit", "--config", config, "--ckpt_path", "last")
    refusal = children.run(place, *words, **full).refusal()
    assert str(run.relative_to(place)) in refusal
    assert "disk" in refusal or "space" in refusal or "large" in refusal, refusal
    assert last.read_bytes() == before
    assert sorted(path.name for path in last.parent.iterdir()) == ["best.ckpt", "last.ckpt"]
    more_room(place)
    resumed = children.run(place, *words)
    assert resumed.status == 0, resumed.output
    (whole,) = (tmp_path / "whole" / "runs" / "tiny").iterdir()
    ours, theirs = weights(run), weights(whole)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    tally("full disk in a training", recovered=1, lost=0)


@pytest.mark.parametrize("room_bytes", [3000, 12000])
def test_result_files_on_a_full_disk_are_whole_or_not_there(
    children: Any, config: Path, tmp_path: Path, disk: Disk, room_bytes: int, tally: Callable[..., None]
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    assert children.run(place, "fit", "--config", config, "--trainer.max_epochs", 1).status == 0
    (run,) = (place / "runs" / "tiny").iterdir()
    before = {path.name for path in run.iterdir()}
    shutil.copytree(place, tmp_path / "whole")
    words = ("test", "--config", config, "--ckpt_path", "last")
    assert children.run(tmp_path / "whole", *words).status == 0
    (whole,) = (tmp_path / "whole" / "runs" / "tiny").iterdir()
    full = disk(place, file_bytes=room_bytes, more_bytes=room_bytes)
    refusal = children.run(place, *words, **full).refusal()
    assert str(run.relative_to(place)) in refusal
    written = {path.name for path in run.iterdir()} - before
    assert written < {path.name for path in whole.iterdir()}
    for name in written:
        if not name.endswith(".json"):  # which have a time in them
            assert (run / name).read_bytes() == (whole / name).read_bytes(), name
    tally("full disk in a test", recovered=1, lost=0)


@pytest.mark.parametrize("job", ["flow", "prepare", "shapes"])
def test_what_writes_many_files_keeps_those_that_are_whole_and_goes_on_when_there_is_room(
    children: Any,
    clip_folder: Path,
    tmp_path: Path,
    disk: Disk,
    more_room: Callable[[Path], None],
    tally: Callable[..., None],
    job: str,
) -> None:
    words: tuple[object, ...] = {
        "flow": ("flow", "--folder", clip_folder, "--output", "out", "--method", "dis"),
        "prepare": ("data", "prepare", clip_folder, "out", "--short_side", 32),
        "shapes": ("out",),
    }[job]
    runner = "shapes" if job == "shapes" else "vidcls"
    (tmp_path / "whole").mkdir()
    place = tmp_path / "place"
    place.mkdir()
    assert children.run(tmp_path / "whole", *words, job=runner).status == 0
    sizes = sorted(p.stat().st_size for p in (tmp_path / "whole").rglob("*") if p.suffix in (".flow", ".avi", ".mp4"))
    total = sum(-(-size // 4096) * 4096 for size in sizes)
    full = disk(place, file_bytes=sizes[len(sizes) // 2], more_bytes=total // 2)
    assert "out" in children.run(place, *words, job=runner, **full).refusal()
    if job == "shapes":
        assert not any(is_whole(folder) for folder in (place / "out").iterdir())
    elif job == "flow":
        whole_store = FlowStore(tmp_path / "whole" / "out")
        for path in (place / "out").rglob("*.flow"):
            assert path.read_bytes() == (whole_store.root / path.relative_to(place / "out")).read_bytes()
    else:
        assert not (place / "out" / "clips.csv").exists() or VideoCsv(place / "out" / "clips.csv").records
    more_room(place)
    assert children.run(place, *words, job=runner).status == 0
    for path in (tmp_path / "whole").rglob("*"):
        if path.is_file() and path.suffix in (".flow", ".avi", ".mp4", ".csv"):
            assert (place / path.relative_to(tmp_path / "whole")).read_bytes() == path.read_bytes(), path
    tally(f"full disk in {job}", recovered=1, lost=0)

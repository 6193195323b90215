"""A disk that is full, and a power cut: a clear line, what was there before is intact, and nothing half is whole."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from vidcls.flow import open_flow_store
from vidcls.video import open_video

CONFIG = """
seed_everything: 3
model: {{class_path: SingleFrame, init_args: {{backbone: small}}}}
data:
  dataset: {{class_path: VideoFolder, init_args: {{root: {root}}}}}
  batch_size: 4
  num_workers: 0
  transform: {{resize_px: 30, crop_px: 24}}
trainer:
  max_epochs: 1
  accelerator: cpu
  log_every_n_steps: 1
  enable_progress_bar: false
  enable_model_summary: false
"""


@pytest.fixture(scope="module")
def trained(killer: object, clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which ``run`` was trained for an epoch."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "config.yaml").write_text(CONFIG.format(root=clip_folder))
    ended = killer(["fit", "--config", "config.yaml", "--run", "run"], folder)
    assert ended.status == 0, ended.said
    return folder


def refusal(ended: object) -> str:
    """The one line of a command that was refused."""
    assert ended.status == 2, ended.said
    assert "Traceback" not in ended.said
    (line,) = [line for line in ended.said.splitlines() if line.startswith("vidcls: error: ")]
    return line


@pytest.mark.parametrize("fault", ["no room after 0", "no room after 1", "files of at most 40000"])
def test_a_checkpoint_that_finds_no_room_leaves_the_old_one(
    killer: object, trained: Path, tmp_path: Path, fault: str, tally: object
) -> None:
    shutil.copytree(trained / "run", tmp_path / "run")
    last = tmp_path / "run/checkpoints/last.ckpt"
    before = last.read_bytes()
    words = ["fit", "--run", "run", "--ckpt_path", "last", "--trainer.max_epochs", "2"]
    line = refusal(killer(words, tmp_path, plant=[fault]))
    assert "No space left on device" in line or "File too large" in line
    if ".ckpt" in line:
        assert "what was saved before is intact" in line
    assert last.read_bytes() == before
    torch.load(last, map_location="cpu", weights_only=True)
    assert [path.name for path in last.parent.iterdir() if path.name.startswith(".")] == []
    ended = killer(words, tmp_path)  # with room it goes on
    assert ended.status == 0, ended.said
    tally("full disk while a checkpoint is written", recovered=1, lost=0)


@pytest.mark.parametrize("room", [0, 1, 2])
def test_result_files_that_find_no_room_are_not_half_there(
    killer: object, trained: Path, tmp_path: Path, room: int, tally: object
) -> None:
    shutil.copytree(trained / "run", tmp_path / "run")
    line = refusal(killer(["test", "--run", "run"], tmp_path, plant=[f"no room after {room}"]))
    assert "No space left on device" in line
    whole = killer(["test", "--run", "run", "--ckpt_path", "best"], trained)
    assert whole.status == 0, whole.said
    for path in (tmp_path / "run").glob("test*"):
        assert path.read_bytes() == (trained / "run" / path.name).read_bytes()
    tally("full disk while results are written", recovered=1, lost=0)


def test_flow_that_finds_no_room_stops_and_goes_on(
    killer: object, clip_folder: Path, tmp_path: Path, tally: object
) -> None:
    words = ["flow here", clip_folder, tmp_path / "flow"]
    assert "disk is full" in refusal(killer(words, tmp_path, plant=["no room after 6"]))
    files = list((tmp_path / "flow").rglob("*.flow")) or [
        path for path in (tmp_path / "flow").rglob("*") if path.is_file() and path.suffix not in (".json", ".csv")
    ]
    assert 0 < len(files) < 22
    assert killer(words, tmp_path).status == 0
    assert open_flow_store(tmp_path / "flow").manifest.num_videos == 22
    tally("full disk while flow is computed", recovered=1, lost=0)


def test_a_copy_that_finds_no_room_stops_and_goes_on(
    killer: object, clip_folder: Path, tmp_path: Path, tally: object
) -> None:
    words = ["copy here", clip_folder, tmp_path / "copy"]
    assert "disk is full" in refusal(killer(words, tmp_path, plant=["no room after 6"]))
    for path in (tmp_path / "copy").rglob("[!.]*.avi"):
        with open_video(path, "jpeg") as video:
            assert video.num_frames == 8
    assert killer(words, tmp_path).status == 0
    assert len(list((tmp_path / "copy").rglob("*.avi"))) == 22
    tally("full disk while a copy is written", recovered=1, lost=0)


def unsynced(log: Path) -> list[str]:
    """Files that took a name before their content was on the disk."""
    synced: set[int] = set()
    found: list[str] = []
    for line in log.read_text().splitlines():
        word, *what = json.loads(line)
        if word == "fsync":
            synced.add(what[0])
        elif not what[2] and what[0] not in synced:
            found.append(what[1])
    return found


@pytest.mark.parametrize("kind", ["fit", "flow", "copy"])
def test_before_a_file_takes_its_name_its_content_is_on_the_disk(
    killer: object, trained: Path, clip_folder: Path, tmp_path: Path, kind: str
) -> None:
    words: dict[str, list[object]] = {
        "fit": ["fit", "--config", trained / "config.yaml", "--run", "run"],
        "flow": ["flow here", clip_folder, tmp_path / "flow"],
        "copy": ["copy here", clip_folder, tmp_path / "copy"],
    }
    log = tmp_path / "syncs.jsonl"
    ended = killer(words[kind], tmp_path, syncs=str(log))
    assert ended.status == 0, ended.said
    names = [json.loads(line)[2] for line in log.read_text().splitlines() if '"replace"' in line]
    assert len(names) > (3 if kind == "fit" else 20)
    if kind == "fit":
        assert any(name.endswith("last.ckpt") for name in names)
    assert unsynced(log) == []


def test_the_harness_catches_a_missing_fsync(killer: object, trained: Path, tmp_path: Path) -> None:
    log = tmp_path / "syncs.jsonl"
    words = ["fit", "--config", trained / "config.yaml", "--run", "run"]
    assert killer(words, tmp_path, syncs=str(log), plant=["no fsync"]).status == 0
    assert any(name.endswith("last.ckpt") for name in unsynced(log))

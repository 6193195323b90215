"""A file of weights that would run code where it is unpickled: refused by every option that takes one."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

Command = Callable[..., object]
KINDS = ("zip", "legacy", "bare pickle", "within the weights")


class Payload:
    """Makes the folder ``ran`` where it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("ran",)


def write(file: Path, kind: str, content: dict[str, object]) -> Path:
    """A file with the payload, as one of the ways in which torch or Python writes."""
    if kind == "zip":
        torch.save({**content, "vidcls": Payload()}, file)
    elif kind == "legacy":
        torch.save({**content, "vidcls": Payload()}, file, _use_new_zipfile_serialization=False)
    elif kind == "bare pickle":
        file.write_bytes(pickle.dumps({"state_dict": Payload()}))
    else:
        torch.save({**content, "state_dict": {"weight": Payload()}}, file)
    return file


# The words of each command by what stands for the file (F), a video (V) and the configuration (C).
CHECKPOINT_COMMANDS = {
    "fit": "fit --config C --ckpt_path F",
    "fit in a run": "fit --run R --ckpt_path last",
    "test": "test --config C --ckpt_path F",
    "test a run": "test --run R",
    "validate": "validate --config C --ckpt_path F",
    "predict": "predict F V",
    "predict by a run": "predict R V",
    "explain": "explain F V",
    "explain kernels": "explain F --kernels kernels.png",
    "features": "features R",
    "summary": "summary F",
    "spatial stream": "fit --config C --model.spatial_checkpoint F",
    "temporal stream": "fit --config C --model.temporal_checkpoint F",
}
WEIGHTS_COMMANDS = {
    "spatial weights": "fit --config C --model.spatial_weights F",
    "temporal weights": "fit --config C --model.temporal_weights F",
    **{
        model: f"fit --config C --model {model} --model.backbone small --model.weights F --data.clip_len 8"
        for model in ("SingleFrame", "EarlyFusion", "LateFusion", "SlowFusion", "RecurrentConv", "TSM")
    },
    "Conv3D": "fit --config C --model Conv3D --model.backbone small_3d --model.weights F --data.clip_len 8",
    "SlowFast": "fit --config C --model SlowFast --model.depth 14 --model.width 8 --model.weights F --data.clip_len 8",
    "MoViNet": "fit --config C --model MoViNet --model.form tiny --model.weights F --data.clip_len 8",
    "X3D": "fit --config C --model X3D --model.form tiny --model.weights F --data.clip_len 8",
    "a large backbone": "fit --config C --model SingleFrame --model.backbone resnet18 --model.weights F",
    "flow in training": "fit --config C --data.flow_settings.method raft --data.flow_settings.weights F",
    "flow": "flow --folder D --output flow --method raft --weights F",
    "flow show": "flow show V --output flow.png --method raft --weights F",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [*CHECKPOINT_COMMANDS, *WEIGHTS_COMMANDS])
def test_a_payload_is_refused_by_one_line_and_has_not_run(
    vidcls: Command, tiny: Path, run: Path, tmp_path: Path, clip_folder: Path, name: str, kind: str
) -> None:
    content = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    file = write(tmp_path / ("theirs.ckpt" if name in CHECKPOINT_COMMANDS else "theirs.pth"), kind, content)
    for checkpoint in (run / "checkpoints").iterdir():
        checkpoint.write_bytes(file.read_bytes())
    stands_for = {"F": file, "V": clip_folder / "test" / "left" / "0.avi", "C": tiny, "R": run, "D": clip_folder}
    words = {**CHECKPOINT_COMMANDS, **WEIGHTS_COMMANDS}[name].split()
    line = vidcls(*(stands_for.get(word, word) for word in words)).refusal()
    assert (file.name in line) or ("checkpoints/" in line)
    assert "could run code, and is refused" in line or "is not a readable checkpoint" in line
    assert "weights_only" not in line  # no advice to load it all the same
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        *(("report", kind) for kind in KINDS),
        ("compare", KINDS[0]),
        *(pytest.param("compare", kind, marks=pytest.mark.slow) for kind in KINDS[1:]),
    ],
)
def test_a_page_and_a_table_go_without_such_a_checkpoint(
    vidcls: Command, run: Path, tmp_path: Path, command: str, kind: str
) -> None:
    assert vidcls("test", "--run", run).status == 0
    content = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    write(run / "checkpoints" / "best.ckpt", kind, content)
    if command == "report":
        outcome = vidcls("report", run)
        assert (outcome.status, "best.ckpt: " in outcome.err) == (0, True)
    else:
        outcome = vidcls("compare", "--runs", run.parent)
        assert (outcome.status, "best.ckpt: " in outcome.out) == (1, True)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "name", ["predict", "fit", "spatial stream", "spatial weights", "Conv3D", "a large backbone", "flow show"]
)
def test_a_small_file_that_becomes_large_is_refused_by_one_line(
    vidcls: Command, tiny: Path, run: Path, tmp_path: Path, clip_folder: Path, name: str
) -> None:
    file = tmp_path / ("theirs.ckpt" if name in CHECKPOINT_COMMANDS else "theirs.pth")
    with (
        zipfile.ZipFile(run / "checkpoints" / "best.ckpt") as archive,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as compressed,
    ):
        for record in archive.namelist():
            compressed.writestr(record.replace("best/", "theirs/", 1), archive.read(record))
    stands_for = {"F": file, "V": clip_folder / "test" / "left" / "0.avi", "C": tiny, "R": run, "D": clip_folder}
    words = {**CHECKPOINT_COMMANDS, **WEIGHTS_COMMANDS}[name].split()
    line = vidcls(*(stands_for.get(word, word) for word in words)).refusal()
    assert f"{file.name}: " in line
    assert "its records are compressed, which torch.save never does" in line


def test_the_payload_would_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the tests above say nothing."""
    monkeypatch.chdir(tmp_path)
    for kind in KINDS:
        file = write(tmp_path / "theirs.ckpt", kind, {})
        if kind == "bare pickle":
            pickle.loads(file.read_bytes())
        else:
            torch.load(file, weights_only=False)
        (tmp_path / "ran").rmdir()

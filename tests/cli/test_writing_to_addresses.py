"""Commands that write to an S3 server, which fails now and then, write what they write to a disk."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from object_servers import BUCKET, Fault, S3Server

from vidcls.remote import place_of, upload

Command = Callable[..., object]
ALLOWED = ("--allow-remote", "s3")


@pytest.fixture
def clips(s3: S3Server, clip_folder: Path) -> str:
    """The clips at an address."""
    for file in clip_folder.rglob("*.avi"):
        upload(file, place_of(f"s3://{BUCKET}/written/clips/{file.relative_to(clip_folder).as_posix()}"))
    return f"s3://{BUCKET}/written/clips"


def disturb(s3: S3Server) -> None:
    s3.proxy.faults = [
        Fault(status=503, times=2, method="PUT"),
        Fault(status=500, times=1, method="HEAD"),
        Fault(cut_after=90, times=1),
        Fault(shorten_to=90, times=1),
        Fault(status=429, times=1),
    ]


def on_disk(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def weights(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoints/last.ckpt", weights_only=True)["state_dict"]


def test_flow_and_a_training_on_it_are_those_of_a_disk(
    vidcls: Command, tiny: Path, clips: str, clip_folder: Path, s3: S3Server, tmp_path: Path
) -> None:
    store = f"s3://{BUCKET}/written/flow"
    assert vidcls("flow", "--folder", clip_folder, "--output", "flow", "--num_workers", 1).status == 0
    disturb(s3)
    there = vidcls("flow", "--folder", clips, "--output", store, "--num_workers", 1, *ALLOWED)
    assert there.status == 0, there
    assert s3.objects("written/flow") == on_disk(tmp_path / "flow")
    again = vidcls("flow", "--folder", clips, "--output", store, "--num_workers", 1, *ALLOWED)
    assert "0 videos computed" in again.out
    assert vidcls("flow", "--folder", clips, "--output", store, "--num_workers", 1, "--verify", *ALLOWED).status == 0

    assert vidcls("fit", "--config", tiny, "--data.flow", "flow", "--run", "here").status == 0
    disturb(s3)
    data = ("--data.dataset.root", clips, "--data.flow", store)
    assert vidcls("fit", "--config", tiny, *data, "--run", "there", *ALLOWED).status == 0
    here, there = weights(tmp_path / "here"), weights(tmp_path / "there")
    assert all(torch.equal(here[name], there[name]) for name in here)
    assert vidcls("test", "--run", "here").status == 0
    assert vidcls("test", "--run", "there", *ALLOWED).status == 0
    assert (tmp_path / "here/test.csv").read_text() == (tmp_path / "there/test.csv").read_text()


def test_a_training_copy_is_read_and_written_at_addresses(
    vidcls: Command, clips: str, clip_folder: Path, s3: S3Server, tmp_path: Path
) -> None:
    copy = f"s3://{BUCKET}/written/small"
    words = ("--short_side", 16, "--num_workers", 1, "--with_flow", "dis")
    assert vidcls("data", "prepare", clip_folder, "small", *words).status == 0
    disturb(s3)
    there = vidcls("data", "prepare", clips, copy, *words, *ALLOWED)
    assert there.status == 0, there
    expected = on_disk(tmp_path / "small")
    found = s3.objects("written/small")
    assert set(found.pop("prepared.csv").splitlines()) == set(expected.pop("prepared.csv").splitlines())
    assert found == expected
    assert f"--data.dataset.path {copy}/clips.csv" in there.out
    checked = [vidcls("data", "check", f"{place}/clips.csv", "--num_workers", 1, *ALLOWED) for place in ("small", copy)]
    measured = re.compile(r"\d+(\.\d)? s\b|.*clips/s.*")
    reports = [measured.sub("", outcome.out) for outcome in checked]
    assert reports[0].count("\n") > 5
    assert reports[1] == reports[0]


@pytest.mark.parametrize("command", ["flow", "data prepare"])
def test_nothing_is_written_without_permission(
    command: str, vidcls: Command, clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    words = {
        "flow": ("flow", "--folder", clip_folder, "--output", "s3://bucket/flow"),
        "data prepare": ("data", "prepare", clip_folder, "s3://bucket/small"),
    }[command]
    outcome = vidcls(*words)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.count("\n") == 1
    assert "s3://bucket/" in outcome.err
    assert "add --allow-remote s3" in outcome.err

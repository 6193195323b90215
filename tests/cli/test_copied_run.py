"""A run that is copied to an address while it trains: another machine goes on from the copy, as if nothing had been."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from object_servers import BUCKET, Fault, S3Server

from vidcls.errors import RemoteError
from vidcls.runs.run_copy import RunCopy

Command = Callable[..., object]
StopAt = Callable[[int, str], list[str]]
PLACE = f"s3://{BUCKET}/runs/mine"


def files_of(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def sent(s3: S3Server) -> dict[str, bytes]:
    client = s3.client()
    keys = [each["Key"] for each in client.list_objects_v2(Bucket=BUCKET, Prefix="runs/mine/").get("Contents", ())]
    return {key.removeprefix("runs/mine/"): client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}


def test_another_machine_goes_on_from_the_copy_and_ends_with_the_same_weights(
    vidcls: Command, tiny: Path, trained: Path, stop_at: StopAt, s3: S3Server, tmp_path: Path
) -> None:
    s3.proxy.faults = [Fault(status=503, times=2, method="PUT"), Fault(status=500, times=1, method="HEAD")]
    words = ["fit", "--config", tiny, "--save_every_n_steps", "1", "--run", "mine", "--copy_run", PLACE]
    assert vidcls(*words, *stop_at(4, "batch")).status == 130
    assert s3.objects("runs/mine") == files_of(tmp_path / "mine")
    shutil.rmtree(tmp_path / "mine")  # the machine is gone
    gone_on = vidcls(*words, "--ckpt_path", "last")
    assert gone_on.status == 0
    assert f"--run mine: brought back from {PLACE}" in gone_on.out
    assert f"copied to {PLACE}" in gone_on.out
    files = [run / "checkpoints/last.ckpt" for run in (tmp_path / "mine", trained)]
    ours, theirs = (torch.load(file, weights_only=True)["state_dict"] for file in files)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert s3.objects("runs/mine") == files_of(tmp_path / "mine")


def test_a_place_that_cannot_be_written_is_refused_at_the_start(
    vidcls: Command, tiny: Path, s3: S3Server, tmp_path: Path
) -> None:
    s3.proxy.faults = [Fault(status=403, times=999, method="PUT")]
    outcome = vidcls("fit", "--config", tiny, "--run", "mine", "--copy_run", PLACE + "2")
    assert outcome.status == 2
    assert "error: --copy_run: s3://videos/runs/mine2/" in outcome.err
    assert "access is denied" in outcome.err
    assert not (tmp_path / "mine").exists()


def test_a_place_that_is_lost_later_ends_no_training_and_is_said_once_for_each_checkpoint(
    vidcls: Command, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send, calls = RunCopy.send, []

    def lost(self: RunCopy) -> int:
        calls.append(1)
        if len(calls) > 1:
            raise RemoteError("disk/mine: is gone")
        return send(self)

    monkeypatch.setattr(RunCopy, "send", lost)
    outcome = vidcls("fit", "--config", tiny, "--run", "mine", "--copy_run", "disk/mine")
    assert outcome.status == 0
    # two epochs of three steps: as each begins (the second brings a checkpoint), and at the end
    assert outcome.out.count("the copy of the run lacks") == len(calls) - 1 == 3
    assert (tmp_path / "mine/checkpoints/best.ckpt").is_file()


def test_where_there_is_no_copy_it_is_one_line(vidcls: Command, tiny: Path, s3: S3Server, tmp_path: Path) -> None:
    words = ["fit", "--config", tiny, "--run", "mine", "--copy_run", PLACE + "3", "--ckpt_path", "last"]
    outcome = vidcls(*words)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.count("\n") == 1
    assert "no run was copied there" in outcome.err
    assert not (tmp_path / "mine").exists()


def test_a_folder_of_this_machine_takes_a_copy_too(vidcls: Command, tiny: Path, tmp_path: Path) -> None:
    assert vidcls("fit", "--config", tiny, "--run", "mine", "--copy_run", "disk/mine").status == 0
    assert files_of(tmp_path / "disk/mine") == files_of(tmp_path / "mine")
    assert vidcls("test", "--run", "mine", "--copy_run", "disk/mine").status == 0
    assert (tmp_path / "disk/mine/test.json").is_file()

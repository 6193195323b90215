"""Commands on videos of an S3 server that fails now and then say what they say of the same files on this machine."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
import torch
from factories import saved_run, video_data
from object_servers import BUCKET, Fault, S3Server, WebServer, put_folder

from vidcls.cli import main
from vidcls.datasets import VideoFolder
from vidcls.remote import place_of, upload

FIT = (
    *("--model", "SingleFrame", "--model.backbone", "small", "--data.num_workers", "2", "--data.batch_size", "4"),
    *("--data.clip_len", "1", "--data.transform.resize_px", "32", "--data.transform.crop_px", "32"),
    *("--trainer.max_epochs", "2", "--trainer.enable_progress_bar", "false", "--trainer.accelerator", "cpu"),
)


def disturb(s3: S3Server) -> None:
    """Every kind of fault that passes, some of them several times."""
    s3.proxy.faults = [
        Fault(status=503, times=3, every=5),
        Fault(cut_after=700, times=3, every=6),
        Fault(shorten_to=900, times=2, every=7),
        Fault(status=500, times=2, every=9, method="HEAD"),
        Fault(status=429, times=2, every=8),
    ]


@pytest.fixture
def clips(s3: S3Server, clip_folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same clips as an address."""
    monkeypatch.setenv("VIDCLS_REMOTE_TIMEOUT", "20")  # a busy machine is no silent server
    monkeypatch.setenv("VIDCLS_REMOTE_RETRIES", "8")
    return put_folder(clip_folder, f"s3://{BUCKET}/clips")


def weights(run: Path) -> dict[str, torch.Tensor]:
    checkpoint = next(iter(run.rglob("last.ckpt")))
    return torch.load(checkpoint, weights_only=True)["state_dict"]


@pytest.mark.slow
def test_a_training_and_its_test_give_the_same_numbers(
    s3: S3Server, clips: str, clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = {}
    for name, root in {"here": str(clip_folder), "there": clips}.items():
        disturb(s3)
        data = ("--data", "video_folder", "--data.dataset.root", root, "--allow-remote", "s3")
        assert main(["fit", *FIT, *data, "--run", f"runs/{name}"]) == 0
        assert main(["test", "--run", f"runs/{name}", "--allow-remote", "s3"]) == 0
        run = tmp_path / "runs" / name
        found[name] = weights(run), json.loads((run / "test.json").read_text())["table"], rows_of(run / "test.csv")
    assert sum(fault.times for fault in s3.proxy.faults) == 0  # all of them happened
    assert f"root: {clips}" in (run / "config.yaml").read_text()
    (here, there) = found["here"], found["there"]
    assert here[0].keys() == there[0].keys()
    assert all(torch.equal(here[0][name], there[0][name]) for name in here[0])
    assert here[1:] == there[1:]


def rows_of(file: Path) -> list[list[str]]:
    with file.open(newline="") as text:
        return list(csv.reader(text))


@pytest.fixture(scope="module")
def checkpoint(clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that nobody trained."""
    run = saved_run(tmp_path_factory.mktemp("run"), video_data(VideoFolder(clip_folder)))
    return run / "checkpoints" / "best.ckpt"


def test_predictions_of_videos_and_checkpoints_at_addresses_are_the_same(
    s3: S3Server, clips: str, clip_folder: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    upload(checkpoint, place_of(f"s3://{BUCKET}/best.ckpt"))
    disturb(s3)
    words = {str(clip_folder / "test"): str(checkpoint), f"{clips}/test": f"s3://{BUCKET}/best.ckpt"}
    for number, (folder, model) in enumerate(words.items()):
        output = str(tmp_path / f"{number}.csv")
        assert main(["predict", model, folder, "--output", output, "--allow-remote", "s3"]) == 0
    here, there = rows_of(tmp_path / "0.csv"), rows_of(tmp_path / "1.csv")
    assert len(here) == 8
    assert [row[1:] for row in here] == [row[1:] for row in there]
    names = [Path(row[0]).relative_to(clip_folder).as_posix() for row in here[1:]]
    assert [row[0] for row in there[1:]] == [f"{clips}/{name}" for name in names]
    assert (
        main(
            [
                "explain",
                str(checkpoint),
                f"{clips}/{names[0]}",
                "--output",
                str(tmp_path / "heat.png"),
                "--allow-remote",
                "s3",
            ]
        )
        == 0
    )
    assert f"{clips}/{names[0]}" in capsys.readouterr().out
    s3.client().delete_object(Bucket=BUCKET, Key=f"clips/{names[1]}")
    pair = (f"{clips}/{names[0]}", f"{clips}/{names[1]}")
    assert main(["predict", str(checkpoint), *pair, "--allow-remote", "s3"]) == 1
    assert f"{pair[1]}: there is no such object; check the address" in capsys.readouterr().err


def test_what_a_signed_address_grants_stays_secret(
    web: WebServer, clip_folder: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = sorted((clip_folder / "test").rglob("*.avi"))
    web.files |= {f"/{k}.avi": file.read_bytes() for k, file in enumerate(files)}
    signed = [f"{web.url}/{k}.avi?X-Amz-Signature=s3cr3t{k}" for k in range(len(files))]
    output = tmp_path / "scores.csv"
    words = ["predict", str(checkpoint), *signed, f"{web.url}/gone.avi?token=s3cr3t", "--output", str(output)]
    assert main([*words, "--overlay", str(tmp_path / "shown"), "--allow-remote", "http"]) == 1
    said = capsys.readouterr()
    assert len(rows_of(output)) == 1 + len(files)
    assert f"{web.url}/0.avi?(signed)" in output.read_text()
    assert "s3cr3t" not in output.read_text() + said.out + said.err
    assert not [path for path in tmp_path.rglob("*") if "s3cr3t" in path.name]


@pytest.mark.slow
def test_a_check_finds_the_same(
    s3: S3Server, clip_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "videos"
    shutil.copytree(clip_folder, root)
    damaged = (root / "train" / "left" / "0.avi").read_bytes()
    for name, content in {
        "cut.avi": damaged[: len(damaged) // 2],
        "empty.avi": b"",
        "page.avi": b"<html></html>",
    }.items():
        (root / "train" / "left" / name).write_bytes(content)
    clips = put_folder(root, f"s3://{BUCKET}/checked")
    disturb(s3)
    plain = {}
    for name, source in {"here": str(root), "there": clips}.items():
        file = tmp_path / f"{name}.json"
        words = ["--json", str(file), "--num_workers", "2", "--allow-remote", "s3", "--cache", str(tmp_path / name)]
        assert main(["data", "check", source, *words]) == 1
        plain[name] = json.loads(file.read_text())
    for key in ("num_videos", "num_opened", "settings", "findings"):
        assert plain["here"][key] == plain["there"][key]
    capsys.readouterr()
    assert main(["data", "check", clips, *words[2:]]) == 1
    assert "0 files opened, 25 known" in capsys.readouterr().out


def test_flow_has_the_same_bytes(s3: S3Server, clips: str, clip_folder: Path, tmp_path: Path) -> None:
    disturb(s3)
    for name, root in {"here": str(clip_folder / "test"), "there": f"{clips}/test"}.items():
        words = ["--folder", root, "--output", str(tmp_path / name), "--num_workers", "2", "--allow-remote", "s3"]
        assert main(["flow", *words, "--method", "dis"]) == 0
    here, there = (
        {
            file.relative_to(tmp_path / name): file.read_bytes()
            for file in (tmp_path / name).rglob("*")
            if file.is_file()
        }
        for name in ("here", "there")
    )
    stored = {name: content for name, content in here.items() if ".avi" in name.name}
    assert len(stored) == 7
    assert {name: there[name] for name in stored} == stored


def test_a_training_on_a_copy_leaves_out_no_video_whose_server_failed(
    s3: S3Server, clips: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIDCLS_REMOTE_RETRIES", "2")
    copied = ("--data.prepare", "./copy", "--data.bad_videos", "skip")
    data = ("--data", "video_folder", "--data.dataset.root", clips, "--allow-remote", "s3", *copied)
    s3.proxy.faults = [Fault(status=503, times=999, part="train/left/1.avi")]
    assert main(["fit", *FIT, *data, "--run", "run"]) == 2
    assert f"{clips}/train/left/1.avi: cannot be read: " in capsys.readouterr().err
    s3.proxy.reset()
    assert main(["fit", *FIT, *data, "--run", "run"]) == 0
    assert "train/left/1.avi" in (tmp_path / "copy" / "clips.csv").read_text()
    assert not (tmp_path / "copy" / "failures.csv").exists()

"""No address is read unless its protocol was typed, whatever a file says; and the option may stand anywhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from object_servers import S3Server, WebServer

from vidcls.cli import main
from vidcls.cli.remote_option import take_remote_option
from vidcls.errors import ConfigurationError
from vidcls.remote.permission import allowed_remote, forget, permission_ends, words_of_permission

pytest.importorskip("upath", reason="needs the extra remote")
CSV = ["--data", "video_csv", "--data.dataset.path"]


def refusal(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """The one line that a command ends with, and status 2."""
    assert main([str(word) for word in words]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len([line for line in lines if "error" in line]) == 1, lines
    return lines[-1]


@pytest.fixture
def files(web: WebServer, tmp_path: Path) -> Path:
    """Files that name an address of a server that would answer; it must see no request."""
    web.files["/a.mp4"] = b"0" * 100
    (tmp_path / "clips.csv").write_text(f"path,label\n{web.url}/a.mp4,a\nb.mp4,b\n")
    dataset = {"class_path": "VideoCsv", "init_args": {"path": f"{web.url}/clips.csv"}}
    (tmp_path / "theirs.yaml").write_text(json.dumps({"model": "SingleFrame", "data": {"dataset": dataset}}))
    root = {"class_path": "VideoFolder", "init_args": {"root": "s3://bucket/videos"}}
    (tmp_path / "root.yaml").write_text(json.dumps({"model": "SingleFrame", "data": {"dataset": root}}))
    return tmp_path


COMMANDS: dict[str, list[str]] = {
    "an address in a csv": ["data", "check", "clips.csv"],
    "the same for a training": ["fit", "--model", "SingleFrame", *CSV, "clips.csv"],
    "an address in a configuration": ["fit", "--config", "theirs.yaml"],
    "a folder in a configuration": ["data", "check", "root.yaml"],
    "a checkpoint": ["predict", "URL/best.ckpt", "a.mp4"],
    "a video": ["explain", "URL/best.ckpt", "URL/a.mp4"],
    "a folder": ["data", "check", "s3://bucket/videos"],
    "a folder to browse": ["data", "browse", "s3://bucket/videos"],
    "a folder to probe": ["probe", "s3://bucket/videos"],
    "videos whose flow is wanted": ["flow", "--folder", "s3://bucket/videos", "--output", "flow"],
    "a typed csv": ["fit", "--model", "SingleFrame", *CSV, "s3://bucket/clips.csv"],
}


@pytest.mark.parametrize("what", COMMANDS)
def test_without_permission_it_is_one_line_that_names_the_option(
    what: str, files: Path, web: WebServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(files)
    with permission_ends():
        forget()
        words = [word.replace("URL", web.url) for word in COMMANDS[what]]
        protocol = "s3" if "s3:" in " ".join(words) or "root.yaml" in words else "http"
        assert f"is read without permission: add --allow-remote {protocol} to" in refusal(capsys, *words)
        other = "https" if protocol == "http" else "http"
        assert f"add --allow-remote {protocol} to" in refusal(capsys, *words, "--allow-remote", other)
        assert allowed_remote() == ()


def test_the_option_may_stand_anywhere_and_ends_with_the_command() -> None:
    for words in (
        ["predict", "best", "a.mp4", "--allow-remote", "s3", "https"],
        ["predict", "best", "--allow-remote=s3,https", "a.mp4"],
        ["predict", "--allow-remote", "s3", "https", "best", "a.mp4"],
        ["predict", "best", "--allow-remote", "S3", "--allow-remote", "https", "a.mp4"],
    ):
        with permission_ends():
            assert take_remote_option(words) == ["predict", "best", "a.mp4"]
            assert set(allowed_remote()) >= {"s3", "https"}
            again = words_of_permission()
            forget()
            assert take_remote_option(["fit", *again]) == ["fit"]  # as commands that this one starts get it
            assert set(allowed_remote()) >= {"s3", "https"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--allow-remote"], "--allow-remote: expected one or more of s3, gs"),
        (["--allow-remote="], "--allow-remote: expected one or more"),
        (["--allow-remote", "sftp"], "--allow-remote: unknown protocol 'sftp': expected some of s3"),
        (["--allow-remote", "file"], "unknown protocol 'file'"),
        (["https://me:secret@example.org/clips.csv"], "has a user name or a password in it"),
        (["--data.dataset.path=https://example.org/c.csv?X-Amz-Signature=secret"], "is a signed address, which this"),
    ],
)
def test_a_mistaken_option_is_one_line_without_secrets(words: list[str], said: str) -> None:
    with permission_ends(), pytest.raises(ConfigurationError) as error:
        take_remote_option(["fit", *words])
    assert said in str(error.value)
    assert "secret" not in str(error.value)


def test_a_run_whose_configuration_names_addresses_asks_again(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "runs" / "mine"
    run.mkdir(parents=True)
    dataset = {"class_path": "VideoCsv", "init_args": {"path": "s3://videos/clips.csv"}}
    (run / "config.yaml").write_text(json.dumps({"model": "SingleFrame", "data": {"dataset": dataset}}))
    with permission_ends():
        forget()
        assert "add --allow-remote s3 to" in refusal(capsys, "data", "check", run)
        assert not s3.proxy.requests
        assert "s3://videos/clips.csv: there is no such object" in refusal(
            capsys, "data", "check", run, "--allow-remote", "s3"
        )


WRITTEN_HERE = {
    "scores": ["predict", "best", "a.mp4", "--output", "s3://bucket/p.csv"],
    "the same in one word": ["predict", "best", "a.mp4", "--output=s3://bucket/p.csv"],
    "a run": ["fit", "--config", "single_frame", "--run", "s3://bucket/run"],
    "a run with one slash": ["fit", "--config", "single_frame", "--run_dir", "s3:/bucket/run"],
    "an archive": ["pack", "best", "s3://bucket/m.zip"],
    "an exported file": ["export", "best", "s3://bucket/m.onnx"],
    "copies with labels": ["predict", "best", "a.mp4", "--overlay", "S3://bucket/o"],
}


@pytest.mark.parametrize("what", WRITTEN_HERE)
def test_what_is_written_on_this_machine_alone_takes_no_address(
    what: str, s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "on this machine alone: pass a path" in refusal(capsys, *WRITTEN_HERE[what], "--allow-remote", "s3")
    assert not [path for path in tmp_path.iterdir() if path.name.lower().startswith("s3")]


MISTYPED = {
    "one slash": ("s3:/bucket/videos", "is neither a path nor an address: write s3://bucket/videos"),
    "no bucket": ("s3://", "s3://: has no bucket; check the address"),
    "keys": ("s3://AKIA:xyzzy@bucket/videos", "s3://bucket/videos: has a user name or a password in it"),
}


@pytest.mark.parametrize("what", MISTYPED)
def test_a_mistyped_address_is_one_line_without_secrets(
    what: str, s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    address, said = MISTYPED[what]
    monkeypatch.chdir(tmp_path)
    for words in (["flow", "--folder", address, "--output", "flow"], ["flow", "--folder", ".", "--output", address]):
        line = refusal(capsys, *words, "--allow-remote", "s3")
        assert said in line or (what == "one slash" and "no such folder" in line)
        assert "xyzzy" not in line


def test_a_limit_that_is_no_number_is_said_before_any_video(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VIDCLS_REMOTE_CACHE_GB", "abc")
    words = ["flow", "--folder", "s3://videos/x", "--output", "flow", "--allow-remote", "s3"]
    assert "VIDCLS_REMOTE_CACHE_GB is 'abc'" in refusal(capsys, *words)

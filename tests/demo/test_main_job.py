"""The demo does what it says: it trains to the ceilings that the built-in data set has by construction."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from vidcls.cli import main
from vidcls.demo import main_job

NOT_NEEDED = ("GPU available", "TPU", "FLOPs", "Seed set", "train mode", "stopped", "Loading `", "Restoring", "it/s")
CEILINGS = {"spatial": 0.25, "temporal": 0.5}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the built-in data set and its flow are written, once for all seeds."""
    return tmp_path_factory.mktemp("cache")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_streams_reach_their_ceilings_and_together_know_nearly_everything(
    seed: int, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.chdir(tmp_path)
    assert main_job.run(seed=seed, root=tmp_path / "runs") == 0
    (run,) = (tmp_path / "runs" / "demo").iterdir()
    content = json.loads((run / "test.json").read_text())
    assert content["num_videos"] >= 320
    for part, ceiling in CEILINGS.items():
        assert content["table"][part]["top1"] == pytest.approx(ceiling, abs=0.06)
    assert content["table"]["model"]["top1"] >= 0.90
    assert content["table"]["model"] == content["table"]["product"]
    captured = capsys.readouterr()
    assert main_job.CEILINGS in captured.out
    assert str(run) in captured.out
    assert "epoch 6/6  loss " in captured.out
    for text in (main_job.ROWS, main_job.UNSURE, main_job.NEXT):
        assert text in captured.out
    said = captured.out + captured.err
    assert [words for words in NOT_NEEDED if words in said] == []


def test_a_step_that_fails_ends_the_demo_with_its_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps: list[str] = []

    def refuse(words: list[str]) -> int:
        steps.append(words[0])
        return 2 if words[0] == "test" else 0

    monkeypatch.setattr("vidcls.datasets.MovingShapes.prepare", lambda _: None)
    monkeypatch.setattr("vidcls.flow.precompute.precompute", lambda *_, **__: None)
    monkeypatch.setattr("vidcls.cli.main", refuse)
    assert main_job.run(root=tmp_path) == 2
    assert steps == ["fit", "test"]
    assert "everything lies in" not in capsys.readouterr().out


def test_the_demo_ends_with_commands_about_its_own_run_that_can_be_pasted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("vidcls.datasets.MovingShapes.prepare", lambda _: None)
    monkeypatch.setattr("vidcls.flow.precompute.precompute", lambda *_, **__: None)
    said: list[list[str]] = []
    monkeypatch.setattr("vidcls.cli.main", lambda words: said.append(words) or 0)
    root = tmp_path / "all runs"
    assert main_job.run(root=root) == 0
    lines = capsys.readouterr().out.splitlines()
    commands = [shlex.split(line) for line in lines[lines.index(main_job.OWN) + 1 :][:3]]
    (run,) = (root / "demo").iterdir()
    assert commands[0] == ["vidcls", "report", str(run)]
    assert commands[1] == ["vidcls", "explain", str(run), said[2][2], "--output", "heat.mp4"]
    assert commands[2] == ["vidcls", "serve", str(run), "--page"]
    assert len(said) == 3
    assert main_job.run(root=root / "other", page=True) == 0
    assert said[-1][0] == "serve"


def test_an_unknown_option_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--output", str(tmp_path), "--sed", "3"]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("vidcls: error: unrecognized arguments: --sed 3")
    assert list(tmp_path.iterdir()) == []

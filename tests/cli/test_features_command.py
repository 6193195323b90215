"""``vidcls features``: probes and pictures of a run."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vidcls.inference import Scorer

Command = Callable[..., Any]


def test_a_run_gives_a_probe_for_each_layer_and_its_pictures(vidcls: Command, run: Path) -> None:
    outcome = vidcls("features", run, "--num_workers", 0)
    assert outcome.status == 0, outcome
    lines = outcome.out.splitlines()
    assert lines[0].split()[:2] == ["layer", "features"]
    assert [line.split("  ")[0].strip() for line in lines[1:-1]] == [
        *(f"{net} block{k}" for net in ("spatial", "temporal") for k in (1, 2, 3, 4)),
        "logits",
    ]
    folder = run / "features"
    assert sorted(path.name for path in folder.iterdir()) == [
        "embedding.csv",
        "embedding.png",
        "probes.csv",
        "probes.png",
    ]
    with (folder / "embedding.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 7  # the test videos


def test_a_second_call_computes_nothing_and_says_the_same(
    vidcls: Command, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("features", run, "--features", tmp_path / "kept", "--num_workers", 0)
    first = vidcls(*words)
    assert first.status == 0, first
    (folder,) = (tmp_path / "kept").iterdir()
    kept = sorted(folder.rglob("*.safetensors"))
    assert len(kept) == 19  # 12 to train, 7 to test
    kept[3].unlink()
    assert vidcls(*words).out == first.out

    def not_to_be_asked(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(Scorer, "features", not_to_be_asked)
    again = vidcls(*words)
    assert (again.status, again.out) == (0, first.out)
    with pytest.raises(AssertionError, match="the network was asked"):
        vidcls("features", run, "--features", tmp_path / "other", "--num_workers", 0)


def test_another_layer_and_another_folder(vidcls: Command, run: Path, tmp_path: Path) -> None:
    best = run / "checkpoints" / "best.ckpt"
    assert (
        vidcls("features", best, "--layer", "spatial block2", "--output", tmp_path / "here", "--num_workers", 0).status
        == 0
    )
    assert (tmp_path / "here" / "probes.csv").is_file()
    assert not (run / "features").exists()


def test_a_layer_that_is_not_there_is_refused_with_those_that_are(vidcls: Command, run: Path) -> None:
    assert "spatial block1" in vidcls("features", run, "--layer", "block9", "--num_workers", 0).refusal()


@pytest.mark.parametrize("words", [("-1",), ("0", "--engine", "ray")])
def test_a_number_of_workers_that_means_nothing_is_refused(vidcls: Command, run: Path, words: tuple[str, ...]) -> None:
    if "ray" in words:
        pytest.importorskip("ray")
    assert "--num_workers" in vidcls("features", run, "--num_workers", *words).refusal()


def test_a_checkpoint_without_its_run_does_not_say_what_its_videos_are(
    vidcls: Command, run: Path, tmp_path: Path
) -> None:
    alone = tmp_path / "alone.ckpt"
    alone.write_bytes((run / "checkpoints" / "best.ckpt").read_bytes())
    assert "config.yaml" in vidcls("features", alone).refusal()

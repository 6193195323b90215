"""Run folders are read, grouped, and refused where their mean would be none."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from vidcls.compare.results import by_model, found_runs, pooled, read_result
from vidcls.errors import ConfigurationError

MadeRun = Callable[..., Path]
ALL_LEFT = ("left",) * 4


def test_a_run_folder_says_what_it_reached(made_run: MadeRun) -> None:
    run = read_result(made_run("a", 4, ALL_LEFT, curve=(0.25, 0.5, 0.75), train_seconds=90.0))
    assert (run.name, run.seed, run.fold, run.num_epochs, run.train_seconds) == ("a", 4, None, 3, 90.0)
    assert run.videos.paths[3] == "video3"
    assert [run.videos.class_names[k] for k in (run.videos.labels[3], run.videos.predictions[3])] == ["right", "left"]
    assert run.curve == ((0, 0.25), (1, 0.5), (2, 0.75))
    assert run.checkpoint == run.folder / "checkpoints" / "best.ckpt"
    assert run.improving is True


@pytest.mark.parametrize(
    ("trainer", "curve", "expected"),
    [
        ({}, (0.5, 0.5), False),
        ({"max_epochs": 9, "max_time": {"seconds": 60}}, (0.5, 0.5), True),
        ({"max_epochs": 2, "max_time": {"seconds": 60}}, (0.5, 0.5), False),
        ({"max_epochs": 9}, (0.5, 0.5), False),
    ],
)
def test_a_training_that_its_time_stopped_still_improved(
    made_run: MadeRun, trainer: dict[str, object], curve: tuple[float, ...], expected: bool
) -> None:
    assert read_result(made_run("a", 0, ALL_LEFT, curve=curve, trainer=trainer)).improving is expected


def test_runs_made_by_hand_are_found_by_name_and_seed(made_run: MadeRun, tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("a", 1), ("b", 0)):
        folder = made_run(name, seed, ALL_LEFT, train_seconds=None)
        folder.rename(folder.with_name(f"2026-11-20_10-00-0{seed}"))
    models, notes = by_model(found_runs(tmp_path)[0])
    assert {name: list(seeds) for name, seeds in models.items()} == {"a": [0, 1], "b": [0]}
    assert notes == []
    assert models["a"][0][0].train_seconds is None


def test_a_run_without_a_test_is_named_and_left_out(made_run: MadeRun, tmp_path: Path) -> None:
    made_run("a", 0, ALL_LEFT)
    (made_run("a", 1, ALL_LEFT) / "test.json").unlink()
    results, notes = found_runs(tmp_path)
    assert [result.seed for result in results] == [0]
    assert notes == [f"{tmp_path}/a/seed1: not tested, left out: vidcls test --run {tmp_path}/a/seed1"]


def test_folds_are_pooled_before_the_accuracy_is_taken(made_run: MadeRun, tmp_path: Path) -> None:
    """Three videos in one fold and one in the other: 3 of 4 right, where the mean of the folds would be 1/2."""
    made_run("a", 0, ("left",) * 3, labels=("left",) * 3, fold=0, num_folds=2, prefix="x")
    made_run("a", 0, ("left",), labels=("right",), fold=1, num_folds=2, prefix="y")
    models, _ = by_model(found_runs(tmp_path)[0])
    videos = pooled(models["a"][0])
    assert sorted(videos.paths) == ["x0", "x1", "x2", "y0"]
    assert videos.is_correct.sum() == 3


def test_a_seed_that_lacks_a_fold_is_left_out(made_run: MadeRun, tmp_path: Path) -> None:
    made_run("a", 0, ALL_LEFT, fold=0, num_folds=2, prefix="x")
    made_run("a", 0, ALL_LEFT, fold=1, num_folds=2, prefix="y")
    made_run("a", 1, ALL_LEFT, fold=1, num_folds=2, prefix="y")
    models, notes = by_model(found_runs(tmp_path)[0])
    assert list(models["a"]) == [0]
    assert notes == ["a seed 1: 1 of 2 folds are there: left out"]


def test_a_video_that_two_folds_tested_is_refused(made_run: MadeRun, tmp_path: Path) -> None:
    made_run("a", 0, ALL_LEFT, fold=0, num_folds=2)
    made_run("a", 0, ALL_LEFT, fold=1, num_folds=2)
    with pytest.raises(ConfigurationError, match="tested the same video twice"):
        by_model(found_runs(tmp_path)[0])


def test_runs_of_one_name_with_other_settings_have_no_mean(made_run: MadeRun, tmp_path: Path) -> None:
    made_run("a", 0, ALL_LEFT)
    made_run("a", 1, ALL_LEFT, dropout=0.2)
    with pytest.raises(ConfigurationError, match=r"both called a, but differ in model.init_args.dropout \(0.5, 0.2\)"):
        by_model(found_runs(tmp_path)[0])


def test_one_run_twice_is_refused(made_run: MadeRun, tmp_path: Path) -> None:
    folder = made_run("a", 0, ALL_LEFT)
    shutil.copytree(folder, folder.with_name("copy"))
    with pytest.raises(ConfigurationError, match="both a of seed 0: move one of them away"):
        by_model(found_runs(tmp_path)[0])


def test_models_that_were_tested_on_other_videos_are_refused(made_run: MadeRun, tmp_path: Path) -> None:
    made_run("a", 0, ALL_LEFT)
    made_run("b", 0, ALL_LEFT, prefix="other")
    with pytest.raises(ConfigurationError, match="a and b were tested on different videos"):
        by_model(found_runs(tmp_path)[0])


@pytest.mark.parametrize(
    ("name", "content"), [("test.json", "{"), ("test.csv", "path,label\n"), ("metrics.csv", "epoch,val/top1\nx,1\n")]
)
def test_a_damaged_result_is_one_line(made_run: MadeRun, name: str, content: str) -> None:
    folder = made_run("a", 0, ALL_LEFT)
    (folder / name).write_text(content)
    with pytest.raises(ConfigurationError, match=r"its results cannot be read \(.+\): test it again"):
        read_result(folder)

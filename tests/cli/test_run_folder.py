"""One training, one folder: what lies in it, what it is called, and which one a test means."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from vidcls.launched import RUN_OF_PARENT
from vidcls.runs.folder import new_run
from vidcls.runs.run import read_run
from vidcls.runs.trained_model import run_named

Command = Callable[..., object]
Rows = Callable[[Path], list[dict[str, str]]]
QUICK = ("--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1", "--trainer.limit_val_batches", "1")
FILES_OF_A_TRAINING = {
    *("config.yaml", "metrics.csv", "curves.png", "run.json", "checkpoints"),
    *("validation.csv", "validation.json"),
}
FILES_OF_A_TEST = {
    "test.csv",
    "test.json",
    "test_spatial.csv",
    "test_temporal.csv",
    "test_confusion.csv",
    "test_confusion.png",
    "test_worst_confusions.csv",
}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_training_leaves_configuration_log_curves_and_two_checkpoints(trained: Path, rows_of: Rows) -> None:
    assert names(trained) == FILES_OF_A_TRAINING
    assert names(trained / "checkpoints") == {"best.ckpt", "last.ckpt"}
    config = yaml.safe_load((trained / "config.yaml").read_text())
    assert (config["trainer"]["max_epochs"], config["seed_everything"], config["name"]) == (2, 1, "tiny")
    assert config["model"]["init_args"]["dropout"] == 0.5  # what nobody gave is written down too
    validated = [row for row in rows_of(trained / "metrics.csv") if row["val/top1"]]
    assert [(row["epoch"], row["step"]) for row in validated] == [("0", "2"), ("1", "5")]
    assert [row["step"] for row in rows_of(trained / "metrics.csv") if row["train/loss"]] == list("012345")


def test_a_training_of_few_steps_says_what_to_raise(vidcls: Command, tiny: Path) -> None:
    said = vidcls("fit", "--config", tiny, *QUICK).out
    assert "hint: optimiser steps in the whole run: 1, few" in said
    assert "--trainer.max_epochs" in said


@pytest.mark.parametrize("name", ["../x", "a/b", "..", "run*", ""])
def test_a_name_that_is_no_folder_name_is_refused(vidcls: Command, tiny: Path, name: str) -> None:
    assert "names a folder" in vidcls("fit", "--config", tiny, *QUICK, f"--name={name}").refusal()


def test_a_name_and_a_root_say_where_the_folder_is_made(vidcls: Command, tiny: Path, tmp_path: Path) -> None:
    assert vidcls("fit", "--config", tiny, *QUICK, "--name", "mine", "--trainer.default_root_dir", "D").status == 0
    (run,) = (tmp_path / "D" / "mine").iterdir()
    assert (run / "checkpoints" / "last.ckpt").is_file()
    assert names(tmp_path) == {"D"}
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert (config["trainer"]["default_root_dir"], config["name"]) == ("D", "mine")


def test_the_folder_that_is_asked_for_is_taken_and_a_test_of_it_needs_no_configuration(
    vidcls: Command, tiny: Path, tmp_path: Path, rows_of: Rows
) -> None:
    assert vidcls("fit", "--config", tiny, *QUICK, "--run", "deep/mine").status == 0
    assert names(tmp_path) == {"deep"}
    assert vidcls("test", "--run", "deep/mine").status == 0
    assert names(tmp_path / "deep" / "mine") >= FILES_OF_A_TEST
    first = (tmp_path / "deep" / "mine" / "test.csv").read_bytes()
    assert vidcls("test", "--config", tiny, "--run", "deep/mine", "--ckpt_path", "best").status == 0
    assert (tmp_path / "deep" / "mine" / "test.csv").read_bytes() == first


def test_the_configuration_that_a_run_keeps_gives_the_same_run_again(
    vidcls: Command, trained: Path, tmp_path: Path
) -> None:
    assert vidcls("fit", "--config", trained / "config.yaml", "--run", "again").status == 0
    assert (tmp_path / "again" / "metrics.csv").read_text() == (trained / "metrics.csv").read_text()
    kept, again = (yaml.safe_load((run / "config.yaml").read_text()) for run in (trained, tmp_path / "again"))
    assert again == kept


def test_a_launched_process_trains_in_the_folder_that_it_was_given_whatever_an_earlier_training_left(
    vidcls: Command, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert vidcls("fit", "--config", tiny, *QUICK, "--run", "first").status == 0
    assert RUN_OF_PARENT not in os.environ
    monkeypatch.setenv("NODE_RANK", "0")
    monkeypatch.setenv(RUN_OF_PARENT, "first")
    assert vidcls("fit", "--config", tiny, *QUICK, "--run", "second").status == 0
    assert "last.ckpt" in names(tmp_path / "second" / "checkpoints")


def test_two_runs_of_one_second_get_two_folders(tmp_path: Path) -> None:
    folders = [new_run(tmp_path, "mine") for _ in range(5)]
    assert len(set(folders)) == 5
    assert all(folder.is_dir() for folder in folders)


@pytest.mark.parametrize("which", ["best", "last", "FILE"])
def test_a_test_writes_the_scores_of_every_video_into_the_run(
    vidcls: Command, tiny: Path, run: Path, rows_of: Rows, which: str
) -> None:
    before = {path: path.read_bytes() for path in (run / "config.yaml", run / "metrics.csv")}
    wanted = run / "checkpoints" / "best.ckpt" if which == "FILE" else which
    outcome = vidcls("test", "--config", tiny, "--ckpt_path", wanted)
    assert outcome.status == 0
    assert names(run) == FILES_OF_A_TRAINING | FILES_OF_A_TEST
    assert {path: path.read_bytes() for path in before} == before
    content = json.loads((run / "test.json").read_text())
    assert Path(content["checkpoint"]).name == ("last.ckpt" if which == "last" else "best.ckpt")
    assert (content["num_videos"], content["views_per_video"]) == (7, 1)
    assert list(content["table"]) == ["model", "spatial", "temporal", "mean", "product", "weighted", "svm"]
    assert content["table"]["model"] == content["table"]["product"]
    for file, row in (("test.csv", "model"), ("test_spatial.csv", "spatial"), ("test_temporal.csv", "temporal")):
        text = (run / file).read_text()
        assert text.splitlines()[0] == "path,label,group,prediction,p_left,p_right,p_still"
        rows = rows_of(run / file)
        assert [r["path"] for r in rows] == [
            f"test/{label}/{k}.avi" for label, count in (("left", 3), ("right", 2), ("still", 2)) for k in range(count)
        ]
        scores = [{name: float(r[f"p_{name}"]) for name in ("left", "right", "still")} for r in rows]
        assert [sum(score.values()) for score in scores] == pytest.approx([1] * 7)
        assert [max(score, key=score.__getitem__) for score in scores] == [r["prediction"] for r in rows]
        top1 = sum(r["prediction"] == r["label"] for r in rows) / 7
        assert content["table"][row]["top1"] == pytest.approx(top1)
    assert f"{content['table']['svm']['top1']:.4f}" in outcome.out


def test_a_checkpoint_alone_is_tested_on_another_data_set(
    vidcls: Command, run: Path, tmp_path: Path, clips_csv: Callable[..., Path]
) -> None:
    data = ["--data.dataset", "VideoCsv", "--data.dataset.path", clips_csv("left", "right", "still")]
    alone = shutil.copy(run / "checkpoints" / "best.ckpt", tmp_path / "alone.ckpt")
    small = ["--data.num_workers", "0", "--trainer.accelerator", "cpu", "--data.test_batch_size", "4"]
    assert vidcls("test", "--ckpt_path", alone, *data, *small).status == 0
    (elsewhere,) = (tmp_path / "runs" / "run").iterdir()
    assert read_run(run_named(str(elsewhere))).folder == elsewhere  # as the report that is advised does
    assert vidcls("test", "--ckpt_path", run / "checkpoints" / "best.ckpt", *data).status == 0
    assert (run / "tests" / "clips" / "test.csv").read_bytes() == (elsewhere / "test.csv").read_bytes()
    assert vidcls("test", "--run", run).status == 0  # the data set of the training
    assert (run / "test.csv").read_bytes() == (elsewhere / "test.csv").read_bytes()


def test_a_test_on_other_data_leaves_the_results_of_the_run_and_has_a_folder_of_its_own(
    vidcls: Command, run: Path, clips_csv: Callable[..., Path], tmp_path: Path
) -> None:
    assert vidcls("test", "--run", run).status == 0
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    other = clips_csv("left", "right")
    words = ["test", "--run", run, "--data.dataset", "VideoCsv", "--data.dataset.path"]
    for file, name in ((other, "clips"), (other, "clips"), (shutil.copy(other, other.with_name("CLIPS.csv")), "CLIPS")):
        said = vidcls(*words, file)
        assert said.status == 0
        assert f"written to {run / 'tests' / name}: test.csv" in said.out
        assert {path: path.read_bytes() for path in before} == before
        content = json.loads((run / "tests" / name / "test.json").read_text())
        assert content["num_videos"] == 5
        assert Path(content["dataset"]["init_args"]["path"]) == Path(file)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    moved = Path(shutil.copytree(other.parent, folder / "copied")) / "clips.csv"  # of the same name
    assert f"written to {run / 'tests' / 'clips_2'}: " in vidcls(*words, moved).out
    assert sorted(path.name for path in (run / "tests").iterdir()) == ["CLIPS", "clips", "clips_2"]


def test_the_same_data_under_another_path_is_the_data_of_the_run(
    vidcls: Command, run: Path, clip_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(clip_folder)
    said = vidcls("test", "--run", run, "--data.dataset.root", "link")
    assert f"written to {run}: test.csv" in said.out


def test_best_means_that_of_the_newest_run_of_that_name(vidcls: Command, tiny: Path, run: Path) -> None:
    newer = shutil.copytree(run, run.with_name("2999-01-01_00-00-00"))
    shutil.copytree(run, run.parent.parent / "other" / "2999-01-01_00-00-01")
    assert vidcls("test", "--config", tiny, "--ckpt_path", "best").status == 0
    assert (newer / "test.csv").is_file()
    assert not (run / "test.csv").exists()
    (newer / "checkpoints" / "best.ckpt").unlink()  # an older one is never meant
    line = vidcls("test", "--config", tiny, "--ckpt_path", "best").refusal()
    assert f"{newer.name}: the newest run here has no checkpoint best.ckpt" in line
    assert f"it has checkpoints/last.ckpt; pass runs/tiny/{run.name}, the newest that has one" in line


def test_a_run_and_a_checkpoint_of_another_run_contradict_each_other(vidcls: Command, run: Path) -> None:
    other = shutil.copytree(run, run.with_name("other"))
    line = vidcls("test", "--run", other, "--ckpt_path", run / "checkpoints" / "best.ckpt").refusal()
    assert f"belongs to the run {run}" in line


def test_a_validation_of_the_run_gives_what_the_training_logged(
    vidcls: Command, tiny: Path, run: Path, rows_of: Rows
) -> None:
    outcome = vidcls("validate", "--config", tiny, "--ckpt_path", "last")
    assert outcome.status == 0
    (last,) = [row for row in rows_of(run / "metrics.csv") if row["val/loss"] and row["step"] == "5"]
    assert f"loss {float(last['val/loss']):.4f}" in outcome.out.splitlines()
    assert names(run) == FILES_OF_A_TRAINING


@pytest.mark.parametrize("command", ["test", "validate"])
def test_a_network_that_nobody_trained_is_not_scored(vidcls: Command, tiny: Path, tmp_path: Path, command: str) -> None:
    line = vidcls(command, "--config", tiny).refusal()
    assert f"{command} needs trained weights: pass --ckpt_path best|last|FILE or --run DIR" in line
    assert names(tmp_path) == set()


def test_two_streams_that_were_trained_one_by_one_are_tested_together(
    vidcls: Command, tiny: Path, run: Path, tmp_path: Path, rows_of: Rows
) -> None:
    checkpoint = run / "checkpoints" / "best.ckpt"
    words = ["--model.spatial_checkpoint", checkpoint, "--model.temporal_checkpoint", checkpoint, "--run", "both"]
    assert vidcls("test", "--config", tiny, *words).status == 2  # --run is for a run that exists
    assert vidcls("test", "--config", tiny, *words[:-2], "--name", "both").status == 0
    (both,) = (tmp_path / "runs" / "both").iterdir()
    assert vidcls("test", "--run", run).status == 0
    assert (both / "test.csv").read_bytes() == (run / "test.csv").read_bytes()


def test_a_missing_checkpoint_is_named(vidcls: Command, tiny: Path, run: Path, tmp_path: Path) -> None:
    assert "gone.ckpt: no such file" in vidcls("test", "--config", tiny, "--ckpt_path", "gone.ckpt").refusal()
    (run / "checkpoints" / "best.ckpt").unlink()
    assert "best.ckpt" in vidcls("test", "--run", run).refusal()
    assert "no such folder" in vidcls("test", "--run", tmp_path / "gone").refusal()
    line = vidcls("test", "--config", tiny, "--name", "never", "--ckpt_path", "best").refusal()
    assert "runs/never: no run here has a checkpoint best.ckpt" in line

"""What was given against what the checkpoint, the run and the data say: the word of one of them, never in silence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

Command = Callable[..., object]
Rows = Callable[[Path], list[dict[str, str]]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "SingleFrame"], "holds a vidcls.models.two_stream.TwoStream, but the configuration asks for"),
        (["--model.dropout", "0.1"], "was trained with --model.dropout 0.5, but 0.1 is asked for"),
        (["--model.optimization.lr", "1"], "was trained with --model.optimization.lr 0.05, but 1.0 is asked for"),
        (["--model.loss.balanced", "true"], "was trained without --model.loss"),
        (["--data.flow_len", "4"], "was trained with --data.flow_len 3, but 4 is asked for"),
        (["--data.stride_seconds", "2"], "was trained without --data.stride_seconds, but 2.0 is asked for"),
        (["--data.transform.crop_px", "24"], "was trained with --data.transform.crop_px 32, but 24 is asked for"),
        (["--data.transform.flip_label_swaps", "{left: right}"], "--data.transform.flip_label_swaps"),
        (["--data.flow_settings.bound_px", "10"], "was trained with --data.flow_settings.bound_px 20.0, but 10.0"),
        (["--data.class_names", "[left,right]"], "--data.class_names says ['left', 'right']"),
        (["--data.class_names", "[right,left,still]"], "knows the classes ['left', 'right', 'still']"),
    ],
)
def test_what_contradicts_the_checkpoint_is_refused(
    vidcls: Command, tiny: Path, run: Path, words: list[str], message: str
) -> None:
    for command in (["test"], ["fit", "--trainer.max_epochs", "3"]):
        line = vidcls(*command, "--config", tiny, "--ckpt_path", "last", *words).refusal()
        assert str(run / "checkpoints" / "last.ckpt") in str(Path(line.split(": ")[2]).absolute())
        assert message in line
    assert {path.name for path in run.iterdir()} == {
        "config.yaml",
        "metrics.csv",
        "curves.png",
        "run.json",
        "checkpoints",
        "validation.csv",
        "validation.json",
    }


def test_what_is_averaged_over_views_is_what_the_checkpoint_says_unless_the_test_says_otherwise(
    vidcls: Command, tiny: Path, tmp_path: Path, rows_of: Rows
) -> None:
    folder = tmp_path / "by_logits"
    views = ["--data.test_clips", "3"]
    words = ["--run", folder, "--data.score", "logits", *views, "--trainer.max_steps", "1"]
    assert vidcls("fit", "--config", tiny, *words).status == 0
    found = {}
    for name, said in (("run", ["--run", folder]), ("configuration", ["--config", tiny, "--run", folder, *views])):
        assert vidcls("test", *said, "--ckpt_path", "last").status == 0  # tiny itself says nothing of it
        assert json.loads((folder / "test.json").read_text())["score"] == "logits"
        found[name] = rows_of(folder / "test.csv")
        for row in found[name]:
            assert sum(float(row[f"p_{label}"]) for label in ("left", "right", "still")) == pytest.approx(1, abs=1e-6)
    assert found["run"] == found["configuration"]
    assert vidcls("test", "--run", folder, "--ckpt_path", "last", "--data.score", "probabilities").status == 0
    assert json.loads((folder / "test.json").read_text())["score"] == "probabilities"
    assert rows_of(folder / "test.csv") != found["run"]
    line = vidcls("test", "--run", folder, "--ckpt_path", "last", "--data.score", "sums").refusal()
    assert "data.score: expected one of 'probabilities', 'logits', got 'sums'" in line


@pytest.mark.parametrize(
    "words",
    [
        ["--data.test_clips", "2", "--data.transform.test_crops", "3"],
        ["--data.decoder", "pyav", "--data.short_videos", "last"],
        ["--data.test_batch_size", "2", "--data.batch_size", "1"],
        ["--model.spatial_weights", "DEFAULT"],  # where the initial weights came from is past
        ["--data.class_names", "[left,right,still]"],
    ],
)
def test_what_a_test_may_choose_is_accepted(vidcls: Command, tiny: Path, run: Path, words: list[str]) -> None:
    assert vidcls("test", "--config", tiny, "--ckpt_path", "best", *words).status == 0
    views = json.loads((run / "test.json").read_text())["views_per_video"]
    assert views == (6 if "--data.test_clips" in words else 1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--data.streams", "[rgb]"], "--data.streams: the model tells the data what it sees"),
        (["--data.streams+=rgb"], "--data.streams"),
        (["--data.seed=3"], "--data.seed: the data follows --seed_everything"),
        (["--model.class_names", "[a,b]"], "--model.class_names: the classes are set from the data"),
        (["--model.init_args.class_names=[a,b]"], "--model.class_names: the classes are set from the data"),
        (["--model.task", "single_label"], "--model.task: the task is set from the data (--data.task)"),
        (["--model.clip.clip_len", "2"], "--model.clip: the clips are set from the data"),
        (["--model.clip", "{clip_len: 2}"], "--model.clip: the clips are set from the data"),
        (["--model", '{"class_path": "TwoStream", "init_args": {"class_names": ["a", "b"]}}'], "--model.class_names"),
        (["--model", '{"class_path": "TwoStream", "init_args": {"clip": {"clip_len": 2}}}'], "--model.clip"),
    ],
)
def test_what_data_and_model_tell_each_other_is_not_given_on_the_command_line(
    vidcls: Command, tiny: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    assert message in vidcls("fit", "--config", tiny, *words).refusal()
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("data", "streams", ["rgb"]),
        ("data", "seed", 4),
        ("model", "class_names", ["a", "b"]),
        ("model", "task", "single_label"),
        ("model", "clip", {"clip_len": 2}),
    ],
)
def test_nor_in_a_configuration(
    vidcls: Command, tiny: Path, tmp_path: Path, section: str, key: str, value: object
) -> None:
    content = yaml.safe_load(tiny.read_text())
    arguments = content["model"]["init_args"] if section == "model" else content["data"]
    arguments[key] = value
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    assert f"--{section}.{key}: the " in vidcls("fit", "--config", "mine.yaml").refusal()
    if section == "data":
        (tmp_path / "mydata.yaml").write_text(yaml.safe_dump(content["data"]))
        assert f"--data.{key}: the " in vidcls("fit", "--config", tiny, "--data", "mydata.yaml").refusal()


def test_classes_are_matched_by_name_whatever_their_order_and_number(
    vidcls: Command, run: Path, clips_csv: Callable[..., Path], rows_of: Rows
) -> None:
    assert vidcls("test", "--run", run).status == 0
    score_of = {row["path"]: row for row in rows_of(run / "test.csv")}
    data = ["--data.dataset", "VideoCsv", "--data.dataset.path", clips_csv("still", "left")]
    assert vidcls("test", "--run", run, *data).status == 0
    results = run / "tests" / "clips"
    rows = rows_of(results / "test.csv")
    assert list(rows[0])[4:] == ["p_left", "p_right", "p_still"]
    assert [row["label"] for row in rows] == ["still"] * 2 + ["left"] * 3
    for row in rows:
        expected = score_of[row["path"]]
        assert (row["label"], row["prediction"]) == (expected["label"], expected["prediction"])
        scores, wanted = ([float(r[name]) for name in list(r)[4:]] for r in (row, expected))
        assert scores == pytest.approx(wanted, abs=1e-5)  # in another batch
    right = {label: [r["prediction"] == label for r in rows if r["label"] == label] for label in ("still", "left")}
    mean_class_accuracy = sum(sum(answers) / len(answers) for answers in right.values()) / 2  # right is absent
    table = json.loads((results / "test.json").read_text())["table"]["model"]
    assert table["mean_class_accuracy"] == pytest.approx(mean_class_accuracy)


def test_a_class_that_the_checkpoint_does_not_know_is_named(
    vidcls: Command, run: Path, clips_csv: Callable[..., Path]
) -> None:
    file = clips_csv("left", "right", "still", renamed={"still": "stop"})
    line = vidcls("test", "--run", run, "--data.dataset", "VideoCsv", "--data.dataset.path", file).refusal()
    assert "the data has the class 'stop', which the model does not know (it knows left, right, still)" in line
    assert not list(run.rglob("test.csv"))


def test_the_order_of_the_classes_can_be_chosen_and_changes_no_label(
    vidcls: Command, tiny: Path, tmp_path: Path, rows_of: Rows
) -> None:
    words = ["--data.class_names", "[still,right,left]", "--trainer.max_epochs", "1", "--run", "mine"]
    assert vidcls("fit", "--config", tiny, *words).status == 0
    assert vidcls("test", "--run", "mine").status == 0
    rows = rows_of(tmp_path / "mine" / "test.csv")
    assert list(rows[0])[4:] == ["p_still", "p_right", "p_left"]
    assert {(row["path"].split("/")[1], row["label"]) for row in rows} == {(n, n) for n in ("left", "right", "still")}
    table = json.loads((tmp_path / "mine" / "test.json").read_text())["table"]["model"]
    assert table["top1"] == pytest.approx(sum(row["prediction"] == row["label"] for row in rows) / 7)


def test_a_test_of_a_fold_keeps_to_that_fold(vidcls: Command, tiny: Path, tmp_path: Path, rows_of: Rows) -> None:
    folds = ["--data.num_folds", "2", "--data.fold", "1"]
    assert vidcls("fit", "--config", tiny, *folds, "--trainer.max_epochs", "1", "--run", "mine").status == 0
    line = vidcls("test", "--config", tiny, "--run", "mine").refusal()
    assert "was trained with --data.num_folds 2 --data.fold 1 of this data set, but no folds is asked for" in line
    other = vidcls("test", "--run", "mine", "--data.fold", "0").refusal()
    assert "but --data.num_folds 2 --data.fold 0 is asked for" in other
    assert vidcls("test", "--config", tiny, "--run", "mine", *folds).status == 0
    same = (tmp_path / "mine" / "test.csv").read_bytes()
    assert vidcls("test", "--run", "mine").status == 0
    assert (tmp_path / "mine" / "test.csv").read_bytes() == same


def test_a_data_set_inherits_nothing_of_the_one_that_it_replaces(
    vidcls: Command, tiny: Path, tmp_path: Path, clips_csv: Callable[..., Path]
) -> None:
    """The ``root`` of the folder in the configuration is not what the paths in the csv are relative to."""
    file = clips_csv("left", "right", "still")
    words = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1", "--run", "mine"]
    data = ["--data.dataset=VideoCsv", f"--data.dataset.path={file}"]
    assert vidcls("fit", "--config", tiny, *words, *data).status == 0
    dataset = yaml.safe_load((tmp_path / "mine" / "config.yaml").read_text())["data"]["dataset"]
    assert dataset["class_path"] == "vidcls.datasets.VideoCsv"
    assert (dataset["init_args"]["path"], dataset["init_args"]["root"]) == (str(file), None)


def test_a_checkpoint_from_before_a_setting_existed_goes_on_with_its_default_and_refuses_others(
    vidcls: Command, tiny: Path, run: Path
) -> None:
    """Written without one setting of the optimisation and one of the transform, as an earlier version did."""
    for file in (run / "checkpoints").iterdir():
        content = torch.load(file, weights_only=True)
        del content["hyper_parameters"]["optimization"]["weight_decay_on"]
        del content["vidcls"]["input"]["transform"]["flip_label_swaps"]
        torch.save(content, file)
    config = yaml.safe_load((run / "config.yaml").read_text())
    del config["model"]["init_args"]["optimization"]["weight_decay_on"]
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    words = ("--run", run, "--ckpt_path", "last", "--trainer.max_epochs", "3")
    line = vidcls("fit", *words, "--model.optimization.weight_decay_on", "weights").refusal()
    assert "was trained with --model.optimization.weight_decay_on all, but weights is asked for" in line
    assert vidcls("fit", *words).status == 0
    assert vidcls("test", "--config", tiny, "--run", run, "--ckpt_path", "last").status == 0

"""``vidcls probe``: a folder in, a run out that every other command takes."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from vidcls.features import FeatureStore
from vidcls.layers import build_backbone
from vidcls.settings_file import read_settings
from vidcls.types import VideoRecord

Command = Callable[..., Any]
FEW = ("--model.choice.kinds", "[logistic]", "--model.choice.descriptors", "[mean]", "--model.choice.num_folds", 2)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of weights of the small backbone."""
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("weights") / "small.pth"
    torch.save(build_backbone("small").state_dict(), file)
    return file


def words(folder: Path, weights: Path, run: str) -> tuple[object, ...]:
    network = ("--backbone", "small", "--weights", weights, "--features", "features", "--num_workers", 0)
    return ("probe", folder, *network, *FEW, "--data.num_snippets", 3, "--run", run)


def test_a_folder_gives_a_run_that_other_commands_take(
    vidcls: Command, clip_folder: Path, weights: Path, tmp_path: Path
) -> None:
    outcome = vidcls(*words(clip_folder, weights, "run"))
    assert outcome.status == 0, outcome
    assert "features of 15 of 15 videos to compute" in outcome.out
    assert "<- chosen" in outcome.out
    assert "next: vidcls test --run run" in outcome.out
    files = {str(path.relative_to("run")) for path in Path("run").rglob("*") if path.is_file()}
    assert files >= {"config.yaml", "probe.csv", "metrics.csv", "checkpoints/best.ckpt", "checkpoints/last.ckpt"}
    settings = read_settings(Path("run/config.yaml"))
    assert settings["model"]["class_path"] == "vidcls.models.Probe"
    assert settings["data"]["transform"]["crop_px"] == [144, 192]  # the shape of the clips is 5:4

    tested = vidcls("test", "--run", "run")
    assert tested.status == 0, tested
    with Path("run/test.csv").open(newline="") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    assert len(rows) == 7
    videos = [clip_folder / path for path in rows]
    predicted = vidcls("predict", "run", *videos, "--output", "scores.csv", "--top_k", 3)
    assert predicted.status == 0, predicted
    with Path("scores.csv").open(newline="") as file:
        found = {str(Path(row["path"]).relative_to(clip_folder)): row for row in csv.DictReader(file)}
    assert found.keys() == rows.keys()
    for path, row in rows.items():
        for name in ("left", "right", "still"):
            assert float(found[path][f"p_{name}"]) == pytest.approx(float(row[f"p_{name}"]), abs=1e-5)
    for command in (["report", "run"], ["validate", "--run", "run"], ["pack", "run", "model.zip"]):
        assert vidcls(*command).status == 0, command
    for method in ("gradcam", "occlusion"):
        video = clip_folder / next(iter(rows))
        assert vidcls("explain", "run", video, "--method", method, "--output", f"{method}.png").status == 0, method

    network = ("--backbone", "run", "--features", "features", "--num_workers", 0, "--data.num_snippets", 3)
    again = vidcls("probe", clip_folder, *network, *FEW, "--run", "second")  # its network is one to probe
    assert again.status == 0, again
    assert "backbone: small, pretrained weights" in again.out


def test_the_same_command_goes_on_where_one_was_stopped_while_it_computed_features(
    vidcls: Command, clip_folder: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, done = FeatureStore.write, []

    def some(store: FeatureStore, record: VideoRecord, tokens: dict[str, torch.Tensor]) -> int:
        if len(done) == 4:
            raise KeyboardInterrupt
        done.append(record)
        return write(store, record, tokens)

    with monkeypatch.context() as patch:
        patch.setattr(FeatureStore, "write", some)
        stopped = vidcls(*words(clip_folder, weights, "run"))
    assert "the same command goes on from there" in stopped.out
    assert Path("run/config.yaml").is_file()
    again = vidcls(*words(clip_folder, weights, "run"))
    assert again.status == 0, again
    assert "features of 11 of 15 videos to compute" in again.out
    settings = Path("run/config.yaml").read_bytes()
    assert "is not empty" in vidcls(*words(clip_folder, weights, "run")).refusal()
    Path("own").mkdir()
    Path("own/config.yaml").write_bytes(settings.partition(b"\n")[2])  # one that somebody wrote
    assert "is not empty" in vidcls(*words(clip_folder, weights, "own")).refusal()


def test_the_same_seed_gives_the_same_test_to_the_last_bit(
    vidcls: Command, clip_folder: Path, weights: Path, tmp_path: Path
) -> None:
    scores = []
    for run in ("a", "b"):
        outcome = vidcls(*words(clip_folder, weights, run))
        assert outcome.status == 0, outcome
        assert ("to compute" in outcome.out) == (run == "a")
        assert vidcls("test", "--run", run).status == 0
        scores.append(Path(run, "test.csv").read_bytes())
    assert scores[0] == scores[1]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--model.levels", "[block9]"), "unknown stage 'block9': this backbone has block1, block2, block3, block4"),
        (("--model.choice.kinds", "[trees]"), "model.choice.kinds"),
        (("--trainer.devices", 2), "fitted by one process"),
        (("--model.choice.levels", "[block9]"), "there is no level 'block9'"),
    ],
)
def test_bad_input_is_one_line(
    vidcls: Command, clip_folder: Path, weights: Path, more: tuple[object, ...], message: str
) -> None:
    assert message in vidcls(*words(clip_folder, weights, "run"), *more).refusal()


def test_the_data_may_come_from_a_configuration(vidcls: Command, clip_folder: Path, weights: Path) -> None:
    Path("mine.yaml").write_text(
        f"data:\n  dataset:\n    class_path: VideoFolder\n    init_args:\n      root: {clip_folder}\n"
    )
    network = ("--backbone", "small", "--weights", weights, "--features", "features", "--num_workers", 0)
    outcome = vidcls("probe", "--config", "mine.yaml", *network, *FEW, "--data.num_snippets", 3, "--run", "run")
    assert outcome.status == 0, outcome
    assert read_settings(Path("run/config.yaml"))["data"]["transform"]["crop_px"] == [144, 192]

"""A model for a colleague: it predicts and tests as the run that it was packed from, on videos that lie elsewhere."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import vidcls as package
from vidcls.errors import CheckpointError
from vidcls.runs.folder import SCORES_FILE

Command = Callable[..., object]


def test_a_packed_run_tests_and_predicts_as_the_original_where_the_videos_have_moved(
    vidcls: Command, run: Path, clip_folder: Path, tmp_path: Path
) -> None:
    assert vidcls("test", "--run", run).status == 0
    assert vidcls("pack", run, "model.zip").status == 0
    with zipfile.ZipFile("model.zip") as archive:
        archive.extractall("there")
    packed = Path("there") / "model"
    moved = shutil.copytree(clip_folder, tmp_path / "moved")
    config = (packed / "config.yaml").read_text()
    (packed / "config.yaml").write_text(config.replace(str(clip_folder), str(tmp_path / "gone")))
    assert "pass --data.dataset.root FOLDER" in vidcls("test", "--run", packed).refusal()
    outcome = vidcls("test", "--run", packed, "--data.dataset.root", moved)
    assert outcome.status == 0, outcome
    assert (packed / "tests" / "moved" / SCORES_FILE).read_text() == (run / SCORES_FILE).read_text()
    video = next(moved.rglob("*.avi"))
    assert package.load(packed, device="cpu")(video) == package.load(run, device="cpu")(video)
    assert (packed / "checkpoints" / "best.ckpt").stat().st_size < (run / "checkpoints" / "best.ckpt").stat().st_size
    assert "optimizer_states" not in torch.load(packed / "checkpoints" / "best.ckpt", weights_only=True)
    readme = (packed / "README.txt").read_text()
    for text in (
        "Classes: left, right, still",
        "vidcls predict model video.mp4",
        "--data.dataset.root FOLDER",
        "of 7 videos",
    ):
        assert text in readme
    assert [path.name for path in Path().glob(".model*")] == []


def test_a_last_checkpoint_and_one_outside_of_a_run_are_packed_under_their_names(
    vidcls: Command, run: Path, tmp_path: Path
) -> None:
    assert vidcls("pack", run / "checkpoints" / "last.ckpt", "of_last").status == 0
    readme = Path("of_last/README.txt").read_text()
    assert "vidcls predict of_last/checkpoints/last.ckpt video.mp4" in readme
    assert "It was not tested." in readme
    alone = shutil.copyfile(run / "checkpoints" / "best.ckpt", tmp_path / "alone.ckpt")
    assert vidcls("pack", alone, "of_file").status == 0
    assert sorted(path.name for path in Path("of_file").iterdir()) == ["README.txt", "checkpoints"]


def test_a_zip_file_that_is_not_unpacked_says_so_in_every_command(
    vidcls: Command, run: Path, clip_folder: Path, tmp_path: Path
) -> None:
    written = vidcls("pack", run, "model.zip")
    assert "to use it, unpack it first (unzip model.zip) and pass the folder" in written.out
    video = next(clip_folder.rglob("*.avi"))
    unpack = "model.zip: is a packed model: unpack it first (unzip model.zip) and pass the folder"
    for words in (
        ("predict", "model.zip", video),
        ("explain", "model.zip", video, "--output", "heat.mp4"),
        ("test", "--run", "model.zip"),
        ("test", "--ckpt_path", "model.zip"),
        ("summary", "model.zip"),
        ("report", "model.zip"),
        ("features", "model.zip"),
    ):
        assert unpack in vidcls(*words).refusal(), words
    with pytest.raises(CheckpointError, match=r"model\.zip: is a packed model: unpack it first"):
        package.load("model.zip")


def test_a_zip_file_of_other_things_is_told_without_the_words_of_torch(tmp_path: Path) -> None:
    file = tmp_path / "other.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("notes.txt", "hello")
    with pytest.raises(CheckpointError, match=r"is not a readable checkpoint \(damaged, or a file of another kind\)$"):
        package.load(file)


def test_the_readme_names_the_packages_of_own_backbones_and_quotes_the_name_of_the_folder(
    vidcls: Command, run: Path, tmp_path: Path
) -> None:
    content = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    content["hyper_parameters"]["spatial"] = "mynet.Mine(width=3)"
    torch.save(content, tmp_path / "own.ckpt")
    assert vidcls("pack", tmp_path / "own.ckpt", "my model").status == 0
    readme = Path("my model/README.txt").read_text()
    assert "the package mynet, which defines mynet.Mine" in readme
    assert "vidcls predict 'my model/checkpoints/own.ckpt' video.mp4 --allow-class mynet" in readme


def test_nothing_is_written_over_and_what_is_no_model_is_one_line(vidcls: Command, run: Path) -> None:
    Path("there.zip").write_text("mine")
    assert "there.zip: already exists" in vidcls("pack", run, "there.zip").refusal()
    assert Path("there.zip").read_text() == "mine"
    assert "no such file or folder" in vidcls("pack", "no_such", "new.zip").refusal()
    assert not Path("new.zip").exists()

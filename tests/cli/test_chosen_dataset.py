"""Which data set a command works on: never the synthetic one where the user means their own, and always said."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from vidcls.cli.chosen_dataset import with_one_dataset
from vidcls.cli.words import Words

Command = Callable[..., object]
OWN = "--data video_folder --data.dataset.root my_videos"


@pytest.fixture
def my_videos(clip_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(clip_folder, tmp_path / "my_videos"))


@pytest.mark.parametrize(
    "command",
    [
        "fit --config two_stream",
        "validate --config two_stream",
        "test --config two_stream --model.spatial_weights x.pt",
        "flow --config two_stream --output flow",
        "summary two_stream",
        "data check two_stream",
        "data browse two_stream",
        "data prepare two_stream small",
        "compare --config two_stream --config single_frame --output compared --max_epochs 1",
    ],
)
@pytest.mark.parametrize("option", ["--data.dataset.root my_videos", "--data.dataset.init_args.root=my_videos"])
def test_a_folder_for_the_synthetic_videos_of_a_configuration_is_refused(
    vidcls: Command, my_videos: Path, tmp_path: Path, command: str, option: str
) -> None:
    before = sorted(tmp_path.rglob("*"))
    line = vidcls(*command.split(), *option.split()).refusal()
    assert "the data set of this configuration is MovingShapes, built-in synthetic videos" in line
    assert f"--data video_folder {option.replace('=', ' ')}" in line
    assert sorted(tmp_path.rglob("*")) == before


def test_not_even_a_folder_that_is_not_there(vidcls: Command, tmp_path: Path) -> None:
    assert "--data video_folder --data.dataset.root gone" in (
        vidcls("fit", "--config", "two_stream", "--data.dataset.root", "gone").refusal()
    )
    assert list(tmp_path.iterdir()) == []


def test_nor_are_they_written_among_other_files_where_they_are_asked_for(vidcls: Command, my_videos: Path) -> None:
    words = ["--config", "two_stream", "--data", "moving_shapes", "--data.dataset.root", "my_videos"]
    line = vidcls("fit", *words).refusal()
    assert "my_videos holds other files (test, train, val)" in line
    assert OWN in line
    assert len(list(my_videos.iterdir())) == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--config two_stream --data.dataset.path clips.csv", "as in --data video_csv --data.dataset.path clips.csv"),
        ("--config two_stream --data.dataset.classes [a,b]", "as in --data video_folder --data.dataset.classes [a,b]"),
        (
            "--config two_stream --data.dataset.annotations=lists",
            "choose another in the same command (--data ucf101 or",
        ),
        (
            "--config two_stream --data moving_shapes --data.dataset.group_pattern x",
            "the data set here is MovingShapes, which has",
        ),
    ],
)
def test_an_option_of_another_data_set_names_the_one_that_has_it(vidcls: Command, words: str, message: str) -> None:
    line = vidcls("fit", *words.split()).refusal()
    assert "which has no such option" in line
    assert message in line


def test_fit_and_test_say_which_videos_of_which_classes_they_work_on(
    vidcls: Command, tiny: Path, run: Path, my_videos: Path
) -> None:
    (my_videos / "val").rename(my_videos / "validation")
    (my_videos / "train/left/notes.txt").touch()
    words = ["--data.dataset.root", "my_videos", "--trainer.max_epochs", "1", "--run", "mine"]
    outcome = vidcls("fit", "--config", tiny, *words)
    assert outcome.status == 0
    assert outcome.out.splitlines()[:6] == [
        f"data set: VideoFolder {my_videos}",
        "  22 videos of 3 classes (left, right, still)",
        "  train: 12 videos, val: 3 videos, test: 7 videos",
        "  groups: not known: clips of one recording, person or place may be in training and in the test",
        "  note: folders used as splits: train as train, validation as val, test as test",
        "  note: skipped files without a video suffix: .txt (1)",
    ]
    out = vidcls("test", "--run", run).out.splitlines()
    assert out[0].startswith("data set: VideoFolder ")
    assert out[2] == "  test: 7 videos"


def test_data_check_says_what_was_skipped_and_takes_lists_of_any_suffix(vidcls: Command, my_videos: Path) -> None:
    (my_videos / "train/left/notes.txt").touch()
    line = "skipped files without a video suffix: .txt (1)"
    assert line in vidcls("data", "check", my_videos, "--num_workers", "1", "--cache", "none").out
    clips = sorted(my_videos.rglob("*.avi"))
    Path("clips.txt").write_text("".join(f"{clip} {clip.parent.name} {clip.parts[-3]}\n" for clip in clips))
    out = vidcls("data", "check", "clips.txt", "--num_workers", "1", "--cache", "none").out
    assert "clips.txt: separated by blanks; no header: columns read as path, label, split" in out
    assert f"{len(clips)}, of which {len(clips)} can be read whole" in out


@pytest.mark.parametrize("command", ["fit --trainer.max_epochs 3", "validate", "test"])
def test_a_configuration_of_another_data_set_than_the_runs_is_refused(
    vidcls: Command, tiny: Path, run: Path, clip_folder: Path, my_videos: Path, command: str
) -> None:
    """Its classes may be the same, so that nothing else would tell."""
    other = Path("other.yaml")
    other.write_text(tiny.read_text().replace(str(clip_folder), str(my_videos)))
    files = sorted(run.rglob("*"))
    line = vidcls(*command.split(), "--config", other, "--name", "tiny", "--ckpt_path", "last").refusal()
    assert f"was trained on VideoFolder {clip_folder}, but the configuration asks for VideoFolder {my_videos}" in line
    assert "remove --config to use the data set of the run, or name the one that you mean with --data" in line
    line = vidcls(*command.split(), "--config", "two_stream", "--run", run, "--ckpt_path", "last").refusal()
    assert "was trained on VideoFolder" in line or "was trained with" in line  # two_stream has other clips as well
    assert sorted(run.rglob("*")) == files


def test_one_that_is_named_is_taken(vidcls: Command, run: Path, my_videos: Path) -> None:
    words = ["--data", "video_folder", "--data.dataset.root", my_videos]
    outcome = vidcls("test", "--run", run, *words)
    assert outcome.status == 0
    assert outcome.out.startswith(f"data set: VideoFolder {my_videos}\n")


@pytest.mark.parametrize("option", ["seed 1", "val_fraction 0.3", "group_pattern (.)"])
def test_another_cut_of_the_runs_data_set_is_refused(vidcls: Command, run: Path, option: str) -> None:
    name, value = option.split()
    for command in ("test", "fit"):
        words = ["--run", run, "--ckpt_path", "last", f"--data.dataset.{name}", value]
        line = vidcls(command, *words).refusal()
        assert f"with {name} " in line
        assert f"but {value} is asked for: the splits would overlap" in line


def test_a_training_does_not_go_on_with_a_class_less(vidcls: Command, run: Path, my_videos: Path) -> None:
    for split in ("train", "val", "test"):
        shutil.rmtree(my_videos / split / "still")
    words = ["--data.dataset.root", my_videos, "--trainer.max_epochs", "3"]
    line = vidcls("fit", "--run", run, "--ckpt_path", "last", *words).refusal()
    assert f"knows the classes still, but {my_videos} has no videos of them" in line
    assert vidcls("test", "--run", run, *words[:2]).status == 0


def test_the_last_of_two_configurations_inherits_no_folder_of_the_first(tmp_path: Path) -> None:
    first, last = tmp_path / "first.yaml", tmp_path / "last.yaml"
    first.write_text("data: {dataset: {class_path: VideoFolder, init_args: {root: data/videos}}}")
    last.write_text("data: {dataset: {class_path: VideoCsv, init_args: {path: clips.csv}}}")
    words = with_one_dataset(Words(["--config", str(first), "--config", str(last)]))
    assert str(first) not in words.arguments  # given without its data set in place of the file
    assert str(last) in words.arguments

"""The mistakes that people make in their first hour, each with the line that it is answered with."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from vidcls.cli.option_names import check_options
from vidcls.cli.short_help import SHORT_HELP
from vidcls.cli.words import Words

Command = Callable[..., object]
FIT = "fit --config single_frame --data video_folder --data.dataset.root VIDEOS"
# The words and what the line says. VIDEOS is a folder of videos, VIDEO one of them, TINY a configuration, RUN a run.
MISTAKES = (
    (
        "fit --config single_frame --data video_folder --data.dataset.root my_video",
        "my_video does not exist; check the path",
    ),
    (f"{FIT} --trainer.max_epoch 3", "--trainer.max_epoch: unknown option; did you mean --trainer.max_epochs?"),
    (f"{FIT} --data.batchsize 3", "--data.batchsize: unknown option; did you mean --data.batch_size?"),
    (f"{FIT} --model.backbne small", "model.backbne: unknown option; did you mean backbone?"),
    ("fit --config two_steam", "did you mean two_stream?"),
    (
        "fit --config two_stream --data my_videos",
        "for a folder of videos: --data video_folder --data.dataset.root my_videos",
    ),
    ("fit", "no model given: add --config FILE (shipped: audio_visual"),
    ("fit two_stream", "did you mean --config two_stream?"),
    ("fit my_videos", "for a folder of videos: --data video_folder --data.dataset.root my_videos"),
    (
        "fit --config two_stream --data.dataset.root my_videos",
        "for your own videos: --data video_folder --data.dataset.root",
    ),
    ("train", "unknown command 'train': did you mean fit?"),
    ("--allow-remote s3 flow", "a command comes first, and its options behind it: vidcls COMMAND --allow-remote"),
    (f"{FIT} --model Resnet3D", "model: there is no class 'Resnet3D'"),
    (f"{FIT} --model nomodule.Net", "model: nomodule.Net cannot be used: No module named 'nomodule'"),
    (
        f"{FIT} --model.backbone resnet19",
        "unknown backbone 'resnet19': did you mean resnet18? vidcls backbones lists them",
    ),
    (f"{FIT} --model.backbone nomodule.Net", "backbone nomodule.Net: cannot be imported (No module named 'nomodule')"),
    (f"{FIT} --data.transform.crop_px 128", "resize_px (64) must not be smaller than crop_px (128)"),
    (f"{FIT} --data.batch_size 0", "batch_size"),
    (f"{FIT} --model.optimization.lr fast", "model.optimization.lr: expected a number, got 'fast'"),
    (f"{FIT} --model.optimization.optimizer adam", "expected one of 'sgd', 'adamw', got 'adam'; did you mean adamw?"),
    (f"{FIT} --data.num_folds 5 --data.fold 5", "fold 5 is not one of the 5 folds"),
    (f"{FIT} --monitor val/accuracy", "--monitor val/accuracy: is not measured"),
    (f"{FIT} --model.lr 0.1", "model.lr: unknown option; did you mean --model.optimization.lr?"),
    (f"{FIT} --model.freeze all", "did you mean --model.transfer.freeze?"),
    (f"{FIT} --model.optimization gone.yaml", "model.optimization: no such file: gone.yaml"),
    ("fit --config part.yaml", "the section model names no class: put the file behind a configuration that does"),
    (f"{FIT} --config groups.yaml", "--optimization: unknown option; did you mean --model.optimization?"),
    (f"{FIT} --data.transform gone.yaml", "data.transform: no such file: gone.yaml"),
    (f"{FIT} --trainer.logger wandb", "did you mean --trainer wandb?"),
    (f"{FIT} --data.clip_len 500 --data.short_videos error", "(--data.short_videos) loop or last"),
    ("fit --config single_frame --data video_csv --data.dataset.path gone.csv", "no csv file at gone.csv"),
    (
        "fit --config single_frame --data clips.csv",
        "for a list of videos: --data video_csv --data.dataset.path clips.csv",
    ),
    ("fit --config single_frame --data video_folder --data.dataset.root VIDEO", "is a file"),
    (
        "fit --config single_frame --data video_folder --data.dataset.path VIDEOS",
        "VideoFolder, which has no such option",
    ),
    ("test --ckpt_path best --run empty", "empty/checkpoints/best.ckpt: no such checkpoint"),
    ("test --ckpt_path last --name nobody", "runs/nobody: no run here has a checkpoint last.ckpt: train first"),
    ("test", "test needs a checkpoint: pass --ckpt_path best|last|FILE, or --run DIR"),
    ("report RUN", "has no test.json: test it first (vidcls test --run"),
    ("report gone", "gone: no such folder: pass best, last, runs/NAME"),
    ("predict TINY VIDEO", "is not a readable checkpoint (a configuration)"),
    ("predict VIDEO RUN", "is a video, and the model comes before it: vidcls predict"),
    ("predict RUN text.mp4", "text.mp4: cannot be decoded"),
    ("predict RUN gone.mp4", "gone.mp4: no such file or folder"),
    ("predict RUN 0", "0: looks like the number of a camera; predict reads video files"),
    ("predict RUN rtsp://camera/1", "rtsp://camera/1: is a live stream; predict reads video files"),
    ("predict tiny VIDEO", "tiny: no such file or folder: did you mean runs/tiny? pass best"),
    ("fit --config single_frame --name tiny --ckpt_path last", "single_frame"),
    ("fit --config TINY --data moving_shapes --name tiny --ckpt_path last", "which the model does not know"),
    (
        "explain RUN VIDEO --class fight",
        "class 'fight': the model does not know it; did you mean right? it knows left, right, still",
    ),
    ("explain RUN VIDEO --class lefft", "did you mean left?"),
    ("flow --data.dataset.root VIDEOS --output flow", "no data set is named: add --data video_folder, as in"),
)


@pytest.fixture
def place(run: Path, tiny: Path, clip_folder: Path, tmp_path: Path) -> dict[str, str]:
    """A folder as a newcomer has it, and what the words stand for."""
    shutil.copytree(clip_folder, tmp_path / "my_videos")
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.mp4").write_text("hello")
    (tmp_path / "part.yaml").write_text("model:\n  optimization:\n    lr: 0.1\n")
    (tmp_path / "groups.yaml").write_text("optimization:\n  lr: 0.1\n")
    video = next((clip_folder / "test" / "left").iterdir())
    return {"VIDEOS": str(clip_folder), "VIDEO": str(video), "TINY": str(tiny), "RUN": str(run)}


def test_every_mistake_is_answered_with_one_line_that_says_how_to_fix_it(
    vidcls: Command, place: dict[str, str], tmp_path: Path
) -> None:
    before = {path for path in tmp_path.rglob("*") if path.name != ".vidcls.lock"}
    wrong = []
    for words, message in MISTAKES:
        answer = vidcls(*(place.get(word, word) for word in shlex.split(words)))
        lines = [line for line in answer.err.splitlines() if line.startswith("vidcls: error: ")]
        if answer.status != 2 or len(lines) != 1 or message not in lines[0]:
            wrong.append(f"vidcls {words}\n  status {answer.status}: {answer.err[-400:]}\n  expected: {message}")
        raw = re.search(r"Parser key|Does not validate|_streams_of|NestedArg|Iterable|Traceback", answer.err)
        if raw:
            wrong.append(f"vidcls {words}\n  has raw text: {raw[0]}")
    assert not wrong, "\n".join(wrong)
    left = {path for path in tmp_path.rglob("*") if path.name != ".vidcls.lock"} - before
    assert not left, f"left behind: {left}"


@pytest.mark.skipif(torch.cuda.is_available() or torch.backends.mps.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_said_at_once(vidcls: Command, tiny: Path, tmp_path: Path) -> None:
    for words in (
        ("fit", "--config", tiny, "--trainer", "gpu"),
        ("compare", "--config", tiny, "--output", "compared", "--max_epochs", "1", "--device", "cuda"),
        ("compare", "--config", tiny, "--output", "compared", "--max_epochs", "1", "--trainer", "gpu"),
    ):
        line = vidcls(*words).refusal()
        assert re.search("torch finds no such device on this machine .* remove --trainer gpu", line), words
    assert not list(tmp_path.rglob("*.ckpt"))


def test_what_another_library_says_against_its_own_object_is_passed_on(vidcls: Command, tiny: Path) -> None:
    logger = "lightning.pytorch.loggers.CometLogger"
    line = vidcls("fit", "--config", tiny, "--trainer.logger", logger, "--allow-class", "lightning.pytorch").refusal()
    assert "Iterable" not in line
    assert "Namespace" not in line


@pytest.mark.parametrize("command", ["fit", "validate", "test"])
def test_help_is_one_screen_of_options_that_exist(vidcls: Command, command: str) -> None:
    lines = vidcls(command, "--help").out.splitlines()
    assert lines == SHORT_HELP[command].splitlines()
    assert len(lines) <= 42
    assert max(len(line) for line in lines) <= 80
    options = re.findall(r"--[a-z][\w.]*", "\n".join(lines))
    assert len(options) > 10
    for option in options:
        if not option.endswith((".help", "--help")) and option not in ("--data", "--config", "--trainer", "--model"):
            check_options(Words(["--model", "SingleFrame", "--data", "video_folder", option, "1"]))


def test_help_all_has_every_option(vidcls: Command) -> None:
    said = vidcls("fit", "--help", "all").out
    assert "--trainer.reload_dataloaders_every_n_epochs" in said
    assert "--data.read_limit_seconds" in said

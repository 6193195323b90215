"""``vidcls sweep``: real trainings that choose without the test, and mistakes that are told before any starts."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
import yaml

pytest.importorskip("optuna", reason="needs the extra sweep")

from vidcls.cli import main, sweep
from vidcls.cli.shipped_configs import configs_folder
from vidcls.sweep.trial import Watch

CONFIG = """
model: {{class_path: SingleFrame, init_args: {{backbone: small, optimization: {{lr: 0.05, schedule: constant}}}}}}
data:
  dataset: {{class_path: VideoFolder, init_args: {{root: {root}}}}}
  batch_size: 4
  num_workers: 0
  transform: {{resize_px: 24, crop_px: 24}}
trainer: {{max_epochs: 2, accelerator: cpu, enable_progress_bar: false, enable_model_summary: false, logger: false}}
"""
SPACE = "model.optimization.lr: {low: 0.001, high: 0.1, log: true}\nmodel.dropout: [0.0, 0.5]\n"


@pytest.fixture
def clips(clip_folder: Path, tmp_path: Path) -> Path:
    """A copy of the clips, and a configuration and a space beside it."""
    root = Path(shutil.copytree(clip_folder, tmp_path / "clips"))
    (tmp_path / "config.yaml").write_text(CONFIG.format(root=root))
    (tmp_path / "space.yaml").write_text(SPACE)
    return root


def here(words: Sequence[str], log: Path, watch: Watch) -> int:
    """A command in this process."""
    said = StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        status = main(list(words))
    log.write_text(said.getvalue())
    watch()
    return status


def spoil(folder: Path) -> int:
    """Make every video in a folder unreadable; how many there are."""
    files = [*folder.rglob("*.avi")]
    for file in files:
        file.write_bytes(b"not a video")
    return len(files)


@pytest.mark.parametrize("folds", [(), ("--folds", "2")])
def test_no_video_of_the_test_is_read_before_the_best_is_tested(
    vidcls: Callable, clips: Path, capsys: pytest.CaptureFixture[str], folds: tuple[str, ...]
) -> None:
    sound = Path(shutil.copytree(clips / "test", "sound"))
    assert spoil(clips / "test") == 7
    words = ["config.yaml", "--space", "space.yaml", "--run", "swept", *folds, "--trials"]
    assert sweep.main([*words, "2", "--no_test"], execute=here) == 0, capsys.readouterr()
    assert not [*Path("swept").rglob("test.csv")]
    said = capsys.readouterr().out
    assert "[2/2] trial 1: val/top1" in said
    assert "not tested" in said
    shutil.copytree(sound, clips / "test", dirs_exist_ok=True)
    spoil(clips / "train")  # the second start trains nothing more: it tests alone
    if folds:
        assert not (Path("swept") / "trials" / "0000" / "checkpoints").exists()
    assert sweep.main([*words, "2"], execute=here) == 0, capsys.readouterr()
    (tested,) = Path("swept").rglob("test.csv")
    assert tested.parent == Path("swept/winner")
    assert json.loads((tested.parent / "test.json").read_text())["num_videos"] == 7
    assert len(json.loads(Path("swept/tests.json").read_text())) == 1
    rows = [*csv.DictReader(Path("swept/sweep.csv").read_text().splitlines())]
    assert [row["state"] for row in rows] == ["complete", "complete"]
    assert len({row["model.optimization.lr"] for row in rows}) == 2
    line = vidcls("sweep", "config.yaml", "--run", "swept", "--trials", "3").refusal()
    assert "another space" in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--trials", "3"), "pass --run DIR"),
        (("--run", "swept"), "pass --trials N"),
        (("--trials", "3", "--run", "swept", "--space", "none.yaml"), "none.yaml"),
        (("--trials", "3", "--run", "swept", "--space", "misspelt.yaml"), "did you mean"),
        (("--trials", "3", "--run", "swept", "--space", "nested.yaml"), "lrr"),
        (("--trials", "3", "--run", "swept", "--space", "value.yaml"), "schedule"),
        (("--trials", "3", "--run", "swept", "--space", "space.yaml", "--model.dropout", "0.1"), "in the space"),
        (("--trials", "3", "--run", "swept", "--data.val_folds", "3"), "--folds"),
        (("--trials", "3", "--run", "swept", "--folds", "1"), "at least 2 folds"),
        (("--trials", "3", "--run", "swept", "--folds", "40"), "val_folds"),
        (("--trials", "3", "--run", "swept", "--monitor", "train/loss"), "val/"),
        (("--trials", "3", "--run", "swept", "--trails", "3"), "--trials"),
    ],
)
def test_a_mistake_is_one_line_before_anything_starts(
    vidcls: Callable, clips: Path, words: tuple[str, ...], message: str
) -> None:
    Path("misspelt.yaml").write_text("model.dropuot: [0.1, 0.2]")
    Path("nested.yaml").write_text("model.optimization.lrr: [0.1, 0.2]")
    Path("value.yaml").write_text("model.optimization.schedule: [cosine, linear]")
    assert message in vidcls("sweep", "config.yaml", *words).refusal()
    assert not (Path("swept") / "sweep.db").exists()
    assert not (Path("swept") / "trials").exists()


def test_the_configurations_of_sweeps_name_options_that_exist(
    vidcls: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = configs_folder() / "sweep"
    words = ["single_frame", "--trials", "1", "--run", "swept", "--space", str(folder / "space.yaml")]
    started: list[list[str]] = []

    def note(command: Sequence[str], log: Path, watch: Watch) -> int:
        started.append(list(command))
        log.write_text("vidcls: error: enough\n")
        return 2

    with pytest.raises(Exception, match="enough"):
        sweep.main(words, execute=note)
    assert len(started) == 1

    of_wandb = yaml.safe_load((folder / "wandb.yaml").read_text())
    middle = {name: (entry["min"] + entry["max"]) / 2 for name, entry in of_wandb["parameters"].items()}
    arguments = [f"--{name}={value}" for name, value in middle.items()]  # as an agent writes ${args}
    command = [part for word in of_wandb["command"] for part in (arguments if word == "${args}" else [word])]
    assert command[:2] == ["vidcls", "fit"]
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    few = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1", "--trainer.limit_val_batches", "1"]
    small = [f"--data.dataset.num_{split}" for split in ("train", "val", "test")]
    few += ["--data.num_workers", "0", "--run", "one", *(word for option in small for word in (option, "32"))]
    outcome = vidcls(*command[1:], *few)
    assert outcome.status == 0, outcome
    assert of_wandb["metric"]["name"] in (tmp_path / "one" / "metrics.csv").read_text().splitlines()[0]
    assert "dropout: 0.4" in (tmp_path / "one" / "config.yaml").read_text()


@pytest.mark.slow
def test_trials_run_in_processes_of_their_own(vidcls: Callable, clips: Path) -> None:
    outcome = vidcls("sweep", "config.yaml", "--trials", "2", "--run", "swept", "--processes", "2")
    assert outcome.status == 0, outcome
    assert (Path("swept") / "winner" / "test.csv").is_file()
    assert "val/top1" in outcome.out

"""A training of six steps that most tests of the command line look at, and a way to call a command in this process."""

from __future__ import annotations

import csv
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest

from vidcls.cli import main

TINY = """
seed_everything: 1
model:
  class_path: TwoStream
  init_args:
    spatial: small
    temporal: small
    optimization: {{lr: 0.05, schedule: constant}}
data:
  dataset: {{class_path: VideoFolder, init_args: {{root: {root}}}}}
  flow_len: 3
  batch_size: 4
  test_batch_size: 4
  num_workers: 0
  transform: {{resize_px: null, crop_px: 32, train_crop: center, flip_probability: 0.0}}
trainer:
  max_epochs: 2
  accelerator: cpu
  log_every_n_steps: 1
  enable_progress_bar: false
  enable_model_summary: false
"""
STOPPING = """
from lightning.pytorch import Callback

class StopAt(Callback):
    def __init__(self, step: int, moment: str) -> None:
        self.step, self.moment = step, moment

    def stop(self, trainer, moment):
        if (trainer.global_step, moment) == (self.step, self.moment) and not trainer.sanity_checking:
            raise KeyboardInterrupt

    def on_train_batch_end(self, trainer, *_):
        self.stop(trainer, "batch")

    def on_train_batch_start(self, trainer, *_):
        self.stop(trainer, "next batch")

    def on_validation_start(self, trainer, *_):
        self.stop(trainer, "validation")
"""


@dataclass(frozen=True)
class Outcome:
    """What a command said and how it ended."""

    status: int
    out: str
    err: str

    def refusal(self) -> str:
        """The one line that a command which was refused says."""
        assert self.status == 2, self
        assert "Traceback" not in self.err + self.out
        lines = [line for line in self.err.splitlines() if "error" in line.lower()]
        assert len(lines) == 1, self.err
        assert lines[0].startswith("vidcls: error: ")
        return lines[0]


Command = Callable[..., Outcome]


def call(*words: object) -> Outcome:
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main([str(word) for word in words])
    return Outcome(status, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the built-in data set is written."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def vidcls(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """Calls a command in an empty folder, which is the test's ``tmp_path``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setattr(sys, "path", list(sys.path))
    on_interrupt = signal.getsignal(signal.SIGINT)  # Lightning ignores it for good after the first
    yield call
    signal.signal(signal.SIGINT, on_interrupt)


@pytest.fixture(scope="session")
def tiny(clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration that trains a two-stream network on 12 clips for two epochs of three steps."""
    file = tmp_path_factory.mktemp("configuration") / "tiny.yaml"
    file.write_text(TINY.format(root=clip_folder))
    return file


@pytest.fixture(scope="session")
def trained(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of that training, not to be changed; see ``run`` for a copy."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        outcome = call("fit", "--config", tiny)
    assert outcome.status == 0, outcome
    (run,) = (folder / "runs" / "tiny").iterdir()
    return run


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of the run folder where the commands of the test find it."""
    return Path(shutil.copytree(trained, tmp_path / "runs" / "tiny" / trained.name))


@pytest.fixture
def stop_at(tmp_path: Path) -> Callable[[int, str], list[str]]:
    """Options by which a training is interrupted at a step: ``batch``, ``next batch`` or ``validation``."""
    (tmp_path / "stopping.py").write_text(STOPPING)

    def options(step: int, moment: str) -> list[str]:
        init_args = "--trainer.callbacks.init_args"
        return ["--trainer.callbacks+=stopping.StopAt", f"{init_args}.step={step}", f"{init_args}.moment={moment}"]

    return options


@pytest.fixture(scope="session")
def rows_of() -> Callable[[Path], list[dict[str, str]]]:
    """Reads a csv file."""

    def read(file: Path) -> list[dict[str, str]]:
        with file.open(newline="", encoding="utf-8") as handle:
            return list(csv.DictReader(handle))

    return read


@pytest.fixture
def clips_csv(clip_folder: Path, tmp_path: Path) -> Callable[..., Path]:
    """Copies the clips and writes a csv file of them: of some labels, in their order, possibly under other labels."""

    def write(*labels: str, renamed: dict[str, str] | None = None) -> Path:
        file = shutil.copytree(clip_folder, tmp_path / "copied") / "clips.csv"
        with file.open("w", newline="", encoding="utf-8") as handle:
            table = csv.writer(handle)
            table.writerow(["path", "label", "split"])
            for label in labels:
                for split in ("train", "val", "test"):
                    for clip in sorted((clip_folder / split / label).iterdir()):
                        name = clip.relative_to(clip_folder).as_posix()
                        table.writerow([name, (renamed or {}).get(label, label), split])
        return file

    return write

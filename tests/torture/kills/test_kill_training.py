"""A training killed again and again, at any moment, and each time resumed ends as if it had never been killed."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

CONFIG = """
seed_everything: 1
model:
  class_path: TwoStream
  init_args:
    spatial: small
    temporal: small
    dropout: 0.5
    optimization: {{lr: 0.05, warmup: 0.2}}
data:
  dataset: {{class_path: VideoFolder, init_args: {{root: {root}}}}}
  flow_len: 3
  batch_size: 3
  test_batch_size: 4
  num_workers: 0
  transform: {{resize_px: 32, crop_px: 24, color_jitter: 0.3}}
trainer:
  max_epochs: {num_epochs}
  accelerator: cpu
  log_every_n_steps: 1
  enable_progress_bar: false
  enable_model_summary: false
"""
MOST_CHANGES = 70  # until a kill; a step with its checkpoint makes about ten
MOST_KILLS = 30  # of one training
ROWS_OF_A_KILL = 2  # of the log: the loss and the learning rate of a step are logged right after its checkpoint


SINCE_START = ("train/top1", "train/mean_class_accuracy", "train/plain_loss", "train/plain_loss_spread")


@dataclass(frozen=True)
class Training:
    """What a training did and left."""

    run: Path
    steps: set[str]
    changes: int = 0
    unflushed: tuple[str, ...] = ()
    num_kills: int = 0

    def weights(self, which: str) -> dict[str, torch.Tensor]:
        return torch.load(self.run / "checkpoints" / f"{which}.ckpt", weights_only=True)["state_dict"]

    def log(self) -> list[dict[str, str]]:
        with (self.run / "metrics.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return [{key: value for key, value in row.items() if key not in SINCE_START} for row in rows]


@pytest.fixture(scope="module")
def config(clip_folder: Path, tmp_path_factory: pytest.TempPathFactory, num_epochs: int) -> Path:
    file = tmp_path_factory.mktemp("config") / "tiny.yaml"
    file.write_text(CONFIG.format(root=clip_folder, num_epochs=num_epochs))
    return file


@pytest.fixture(scope="module")
def num_epochs() -> int:
    return 3 if os.environ.get("VIDCLS_TORTURE") == "full" else 2


@pytest.fixture(scope="module")
def whole(children: Any, config: Path, tmp_path_factory: pytest.TempPathFactory) -> Training:
    """The undisturbed training."""
    return undisturbed(children, tmp_path_factory.mktemp("whole"), config)


def steps_in(journal: list[dict]) -> set[str]:
    """Every step with its clips and their pixels: taken again, it must be the same."""
    return {f"{fact['step']} {fact['epoch']} {fact['clips']} {fact['pixels']!r}" for fact in journal if "step" in fact}


def words_of(config: Path, num_workers: int = 0) -> list[object]:
    return ["fit", "--config", config, "--save_every_n_steps", "1", "--data.num_workers", num_workers]


def undisturbed(children: Any, folder: Path, config: Path) -> Training:
    ended = children.run(folder, *words_of(config))
    assert ended.status == 0, ended.output
    (run,) = (folder / "runs" / "tiny").iterdir()
    return Training(run, steps_in(ended.journal), ended.changes, tuple(ended.unflushed(run)))


def killed_until_done(
    children: Any,
    folder: Path,
    config: Path,
    kills: Any,
    aims: Iterable[Any],
    *,
    num_workers: int = 0,
    faults: tuple[str, ...] = (),
) -> Training:
    """Killed at each aim unless it has ended before, then to its end; resumed where that is possible, as by a user."""
    folder.mkdir()
    steps: set[str] = set()
    num_kills = 0
    for aim in [*aims, None]:
        runs = sorted((folder / "runs" / "tiny").glob("*/"))
        has_checkpoint = bool(runs) and (runs[-1] / "checkpoints" / "last.ckpt").is_file()
        words = [*words_of(config, num_workers), *(["--ckpt_path", "last"] if has_checkpoint else [])]
        ended = children.run(folder, *words, aim=aim, faults=faults)
        steps |= steps_in(ended.journal)
        if not ended.was_killed:
            assert ended.status == 0, ended.output
            break
        kills.places[ended.place] += 1
        num_kills += 1
    return Training(sorted((folder / "runs" / "tiny").glob("*/"))[-1], steps, num_kills=num_kills)


def differences(ours: Training, whole: Training) -> list[str]:
    """What a kill changed; nothing where all went well."""
    found = [f"other clips or pixels: {step}" for step in sorted(ours.steps ^ whole.steps)]
    for which in ("last", "best"):
        mine, theirs = ours.weights(which), whole.weights(which)
        found += [f"{which}: {name}" for name in theirs if not torch.equal(mine[name], theirs[name])]
    logged, expected = ours.log(), whole.log()
    if [row for row in expected if row in logged] != logged:
        found.append(f"another log: {logged}")
    if len(expected) - len(logged) > ROWS_OF_A_KILL * ours.num_kills:
        found.append(f"rows of the log are lost: {len(logged)} of {len(expected)} after {ours.num_kills} kills")
    leftovers = {path.name for path in (ours.run / "checkpoints").iterdir()} - {"last.ckpt", "best.ckpt"}
    if leftovers:
        found.append(f"files are left over: {sorted(leftovers)}")
    return found


def test_what_a_training_writes_is_on_the_disk_before_it_gets_its_name(whole: Training) -> None:
    assert not whole.unflushed


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_training_killed_at_random_ends_with_the_weights_the_clips_and_the_log_of_the_undisturbed(
    children: Any,
    kills: Callable[[int], Any],
    whole: Training,
    config: Path,
    tmp_path: Path,
    is_full: bool,
    tally: Callable[..., None],
    num_workers: int,
) -> None:
    counted = kills(20 + num_workers)
    least_kills = (60, 0, 40)[num_workers] if is_full else (4, 0, 1)[num_workers]
    num_rows_lost = number = 0
    while counted.num_kills < least_kills:
        aims = [counted.aim(MOST_CHANGES) for _ in range(MOST_KILLS if is_full else least_kills)]
        folder = tmp_path / f"killed{number}"
        ours = killed_until_done(children, folder, config, counted, aims, num_workers=num_workers)
        if found := differences(ours, whole):
            print(folder, found)
        counted.settle(is_lost=bool(found))
        num_rows_lost += len(whole.log()) - len(ours.log())
        number += 1
    tally(
        f"kill -9 of a training, {num_workers} workers",
        recovered=counted.recovered,
        lost=counted.lost,
        note=f"{counted.note()}; {num_rows_lost} rows of the log lost",
    )
    assert counted.lost == 0
    if is_full:
        assert counted.num_inside >= counted.num_kills / 3, counted.note()


@pytest.mark.parametrize(
    ("fault", "expected"), [("skips_a_batch", "other clips"), ("starts_random_numbers_anew", "last: ")]
)
def test_the_harness_catches_a_training_that(
    children: Any,
    kills: Callable[[int], Any],
    whole: Training,
    config: Path,
    num_epochs: int,
    tmp_path: Path,
    fault: str,
    expected: str,
) -> None:
    found: list[str] = []
    for tenths in (5, 4, 6, 7):  # of the first epoch; a kill at its very end leaves no batch to be skipped
        changes = whole.changes * tenths // num_epochs // 10
        aim = replace(kills(0).aim(1, delay_seconds=0), changes=changes)
        ours = killed_until_done(children, tmp_path / f"killed{tenths}", config, kills(0), [aim], faults=(fault,))
        assert ours.num_kills == 1
        found += differences(ours, whole)
        if any(line.startswith(expected) for line in found):
            return
    raise AssertionError(f"not caught: {found}")

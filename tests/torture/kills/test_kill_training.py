"""A training that is killed again and again: resumed, it ends with the weights of one that never was."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

CONFIG = """
seed_everything: 3
model:
  class_path: LateFusion
  init_args: {{backbone: small, dropout: 0.5, optimization: {{lr: 0.02}}}}
data:
  dataset: {{class_path: VideoFolder, init_args: {{root: {root}}}}}
  clip_len: 2
  batch_size: 2
  num_workers: {num_workers}
  transform: {{resize_px: 30, crop_px: 24, color_jitter: 0.2}}
save_every_n_steps: 1
trainer:
  max_epochs: 2
  accelerator: cpu
  log_every_n_steps: 1
  enable_progress_bar: false
  enable_model_summary: false
"""
BATCHES = [(epoch, batch) for epoch in range(2) for batch in range(6)]


class Training:
    """One training in a folder, begun anew or resumed as a user would."""

    def __init__(self, killer: Callable[..., object], folder: Path, config: Path) -> None:
        self.killer, self.folder, self.config = killer, folder, config
        folder.mkdir()
        self.last = folder / "run" / "checkpoints" / "last.ckpt"

    def go(self, **request: object) -> object:
        order = str(self.folder / "order.jsonl")
        if self.last.is_file():
            words = ["fit", "--run", "run", "--ckpt_path", "last"]
        else:
            shutil.rmtree(self.folder / "run", ignore_errors=True)
            words = ["fit", "--config", self.config, "--run", "run"]
        return self.killer(words, self.folder, order=order, **request)

    def broken_files(self) -> list[str]:
        """Checkpoints that cannot be loaded."""
        broken = []
        for path in self.last.parent.glob("[!.]*.ckpt"):
            try:
                torch.load(path, map_location="cpu", weights_only=True)
            except Exception as error:  # noqa: BLE001 - whatever is raised, the file is no checkpoint
                broken.append(f"{path.name}: {error}")
        return broken

    def state(self) -> dict[str, object]:
        content = torch.load(self.last, map_location="cpu", weights_only=True)
        return {"weights": content["state_dict"], "optimizer": content["optimizer_states"][0]["state"]}

    def batches(self) -> dict[tuple[int, int], list[list[int]]]:
        """The clips that each batch had, every time that it was trained on."""
        found: dict[tuple[int, int], list[list[int]]] = {}
        for line in (self.folder / "order.jsonl").read_text().splitlines():
            try:
                epoch, batch, clips = json.loads(line)
            except ValueError:  # the note itself was cut off by a kill
                continue
            found.setdefault((epoch, batch), []).append(clips)
        return found


def assert_equal_states(found: object, expected: object, place: str = "") -> None:
    assert type(found) is type(expected), place
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), place
        for key, value in expected.items():
            assert_equal_states(found[key], value, f"{place}/{key}")
    elif isinstance(expected, torch.Tensor):
        assert torch.equal(found, expected), place
    else:
        assert found == expected, place


@pytest.fixture(scope="module", params=[0, 2])
def whole(request: pytest.FixtureRequest, killer: object, clip_folder: Path, tmp_path_factory: object) -> object:
    """A configuration, the training that nothing disturbed, and how long it took."""
    folder = tmp_path_factory.mktemp(f"whole{request.param}")
    config = folder / "config.yaml"
    config.write_text(CONFIG.format(root=clip_folder, num_workers=request.param))
    training = Training(killer, folder / "undisturbed", config)
    started = time.monotonic()
    ended = training.go()
    assert ended.status == 0, ended.said
    assert sorted(training.batches()) == BATCHES
    return config, training, ended.counts, time.monotonic() - started


def killed_training(
    killer: object, whole: object, folder: Path, seed: int, aims: object, *, num_kills: int, **request: object
) -> tuple[Training, int, int]:
    """Kill a training so often, then let it end; returns it, the kills, and the files that were found broken."""
    config, _, counts, seconds = whole
    choice = random.Random(seed)
    training = Training(killer, folder, config)
    kills = broken = 0
    while kills < num_kills:
        had_last = training.last.is_file()
        ended = training.go(aim=aims(choice, counts, seconds), **request)
        if not ended.killed:
            if ended.status != 0:  # what is there cannot be gone on from
                return training, kills, broken + 1
            break
        kills += 1
        broken += len(training.broken_files()) + (had_last and not training.last.is_file())
    ended = training.go(**request)
    return training, kills, broken + (ended.status != 0)


def same_as(training: Training, undisturbed: Training) -> bool:
    try:
        assert_equal_states(training.state(), undisturbed.state())
        expected = undisturbed.batches()
        found = training.batches()
        assert found.keys() == expected.keys()
        for key, (clips,) in expected.items():
            assert all(again == clips for again in found[key]), key
    except AssertionError as error:
        print(f"not the same: {error}")
        return False
    return True


def test_a_killed_training_ends_with_the_same_weights_from_the_same_clips(
    killer: object, whole: object, tmp_path: Path, aims: object, is_full: bool, tally: object
) -> None:
    config, undisturbed, _, _ = whole
    with_workers = "num_workers: 2" in config.read_text()
    rounds, num_kills = (10, 5) if is_full else (1, 2 if with_workers else 4)
    first = len(killer.landed)
    lost = total = 0
    for seed in range(rounds):
        training, kills, broken = killed_training(
            killer, whole, tmp_path / str(seed), 100 + seed, aims, num_kills=num_kills
        )
        is_same = broken == 0 and same_as(training, undisturbed)
        total += kills
        lost += 0 if is_same else max(1, kills)
        shutil.rmtree(tmp_path / str(seed))
    landed = killer.landed[first:]
    inside = sum(phase != "between" for phase in landed)
    kind = f"kill -9 of a training, {'two workers' if with_workers else 'no worker'}"
    tally(kind, recovered=total - lost, lost=lost, note=f"{inside} of {len(landed)} inside a write or a step")
    assert total > 0
    assert lost == 0
    if is_full:
        assert inside >= total / 3


@pytest.mark.parametrize("fault", ["a skipped batch", "another seed after a resume", "no atomic rename"])
def test_the_harness_catches_a_planted_fault(
    killer: object, whole: object, tmp_path: Path, is_full: bool, fault: str
) -> None:
    """Each is killed within the first step after the third batch was saved, or within the writing of a checkpoint."""
    config, undisturbed, _, _ = whole
    if not is_full and "num_workers: 2" in config.read_text():
        pytest.skip("the short form plants faults without workers only")
    training = Training(killer, tmp_path / "planted", config)
    if fault == "no atomic rename":
        found = []
        for number in range(3, 40):
            training.go(aim=("write", number, 0.005), plant=[fault])
            found = training.broken_files()
            if found:
                break
        assert found
        return
    assert training.go(aim=("step", 4, 0.0)).killed
    training.go(plant=[fault])
    assert not same_as(training, undisturbed)

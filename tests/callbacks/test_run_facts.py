from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, Trainer

from vidcls.callbacks import RunFacts
from vidcls.clips.reader import ClipReader
from vidcls.datasets import VideoFolder
from vidcls.loading import VideoDataModule
from vidcls.models import SingleFrame
from vidcls.runs.trainings import read_trainings
from vidcls.training.code_state import vidcls_code
from vidcls.transforms import ClipPixels
from vidcls.types import VideoRecord

MakeData = Callable[..., VideoDataModule]
MakeTrainer = Callable[..., Trainer]
PAUSE_SECONDS = 0.05


class Slow(Callback):
    """Makes every training step last."""

    def on_before_backward(self, *_: object) -> None:
        time.sleep(6 * PAUSE_SECONDS)  # so long that a busy machine's reading stays far below a fifth of it


def slow_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the loader one that is waited for."""
    read = ClipReader.train_clips

    def slow(self: ClipReader, record: VideoRecord, *given: object) -> list[ClipPixels]:
        time.sleep(PAUSE_SECONDS)
        return read(self, record, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(ClipReader, "train_clips", slow)


def fit(
    run: Path,
    data: VideoDataModule,
    make_trainer: MakeTrainer,
    *callbacks: Callback,
    **settings: object,
) -> Trainer:
    torch.manual_seed(0)
    model = SingleFrame(class_names=data.class_names, clip=data.clip, backbone="small")
    trainer = make_trainer(run, callbacks=[RunFacts(run), *callbacks], **settings)
    trainer.fit(model, data)
    return trainer


def test_where_and_how_it_ran_is_written(
    clip_dataset: VideoFolder, tmp_path: Path, small_data: MakeData, small_trainer: MakeTrainer
) -> None:
    fit(tmp_path, small_data(clip_dataset), small_trainer, max_epochs=2)
    (facts,) = read_trainings(tmp_path)
    assert torch.__version__.startswith(facts["machine"]["versions"]["torch"])  # type: ignore[index]
    assert (facts["from_step"], facts["to_step"], facts["epochs"]) == (0, 6, 2)
    assert facts["vidcls"] == vidcls_code()
    assert facts["num_parameters"] == facts["num_trained_parameters"]
    assert facts["clips_per_second"] > 0  # type: ignore[operator]


def test_a_resumed_training_is_added_with_its_own_steps_epochs_and_seconds(
    clip_dataset: VideoFolder, tmp_path: Path, small_data: MakeData, small_trainer: MakeTrainer
) -> None:
    fit(tmp_path, small_data(clip_dataset), small_trainer, max_epochs=2)
    data = small_data(clip_dataset)
    model = SingleFrame(class_names=data.class_names, clip=data.clip, backbone="small")
    trainer = small_trainer(tmp_path, callbacks=[RunFacts(tmp_path)], max_epochs=5)
    trainer.fit(model, data, ckpt_path=tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    first, second = read_trainings(tmp_path)
    found = [
        [facts[key] for key in ("from_step", "to_step", "from_epoch", "to_epoch", "epochs")]
        for facts in (first, second)
    ]
    assert found == [[0, 6, 0, 2, 2], [6, 15, 2, 5, 3]]
    assert 0 < second["seconds"] < 600  # type: ignore[operator]


def test_a_start_that_had_nothing_left_to_train_is_not_noted(
    clip_dataset: VideoFolder, tmp_path: Path, small_data: MakeData, small_trainer: MakeTrainer
) -> None:
    fit(tmp_path, small_data(clip_dataset), small_trainer, max_epochs=1)
    before = (tmp_path / "run.json").read_text()
    data = small_data(clip_dataset)
    model = SingleFrame(class_names=data.class_names, clip=data.clip, backbone="small")
    trainer = small_trainer(tmp_path, callbacks=[RunFacts(tmp_path)], max_epochs=1)
    trainer.fit(model, data, ckpt_path=tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert (tmp_path / "run.json").read_text() == before


@pytest.mark.parametrize(("slow_step", "low", "high"), [(True, 0.0, 0.5), (False, 0.5, 1.0)])
def test_the_share_of_waiting_is_that_of_the_loader(
    clip_dataset: VideoFolder,
    tmp_path: Path,
    small_data: MakeData,
    small_trainer: MakeTrainer,
    monkeypatch: pytest.MonkeyPatch,
    slow_step: bool,
    low: float,
    high: float,
) -> None:
    data = small_data(clip_dataset)
    if not slow_step:
        slow_down(monkeypatch)
    fit(tmp_path, data, small_trainer, *([Slow()] if slow_step else []), max_epochs=1)
    (facts,) = read_trainings(tmp_path)
    assert low < facts["waiting_share"] < high  # type: ignore[operator]


class NotesProgress(Callback):
    """Keeps what the progress line shows."""

    def __init__(self) -> None:
        self.shown: list[dict[str, float]] = []

    def on_train_batch_end(self, trainer: Trainer, *_: object) -> None:
        self.shown.append({name: float(value) for name, value in trainer.progress_bar_metrics.items()})


@pytest.mark.parametrize("is_slow", [True, False])
def test_the_progress_line_shows_speed_and_waiting_and_a_hint_comes_once(
    clip_dataset: VideoFolder,
    tmp_path: Path,
    small_data: MakeData,
    small_trainer: MakeTrainer,
    monkeypatch: pytest.MonkeyPatch,
    is_slow: bool,
) -> None:
    hints: list[str] = []
    monkeypatch.setattr("vidcls.callbacks.run_facts.rank_zero_info", hints.append)
    monkeypatch.setattr("vidcls.callbacks.run_facts.SECONDS_BETWEEN", 0.0)
    progress, share = NotesProgress(), 0.2 if is_slow else 0.8  # a busy machine's reading stays far below that
    monkeypatch.setattr("vidcls.callbacks.run_facts.HINT_SHARE", share)
    if is_slow:
        slow_down(monkeypatch)
    data = small_data(clip_dataset, batch_size=2)
    fit(tmp_path, data, small_trainer, *([] if is_slow else [Slow()]), progress, max_epochs=2)
    last = progress.shown[-1]
    assert 0 < last["clips/s"] < 2 / PAUSE_SECONDS
    assert (last["waiting"] > share) == is_slow
    assert len(hints) == is_slow
    if is_slow:
        assert "--data.num_workers (now 0, and " in hints[0]
        assert "vidcls data prepare" in hints[0]
    (facts,) = read_trainings(tmp_path)
    assert facts["epochs"] == 2
    assert not any("clips/s" in line for line in (tmp_path / "run.json").read_text().splitlines())


def test_the_hint_does_not_advise_a_copy_that_was_found_not_to_pay(
    clip_dataset: VideoFolder,
    tmp_path: Path,
    small_data: MakeData,
    small_trainer: MakeTrainer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hints: list[str] = []
    monkeypatch.setattr("vidcls.callbacks.run_facts.rank_zero_info", hints.append)
    monkeypatch.setattr("vidcls.callbacks.run_facts.SECONDS_BETWEEN", 0.0)
    monkeypatch.setattr(
        "vidcls.loading.training_copies.copy_lines", lambda *_, **__: (False, "prepare: no copy is made")
    )
    slow_down(monkeypatch)
    fit(tmp_path, small_data(clip_dataset, batch_size=2, prepare="auto"), small_trainer, max_epochs=1)
    (hint,) = hints
    assert "--data.num_workers (now 0" in hint
    assert "prepare" not in hint

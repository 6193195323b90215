"""A network that learns from a teacher: by name, from a model or a file, once; what does not fit is one line."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from factories import saved_run, video_data
from lightning.pytorch import Trainer

from vidcls.callbacks import Distillation
from vidcls.callbacks.distillation import read_teacher
from vidcls.datasets import VideoFolder
from vidcls.errors import ConfigurationError
from vidcls.models import SingleFrame
from vidcls.predict import Predictor
from vidcls.tasks import SingleLabel
from vidcls.transforms import TransformSettings

CLASSES = ("left", "right", "still")


def write(file: Path, rows: dict[str, tuple[float, ...]], class_names: tuple[str, ...] = CLASSES) -> Path:
    with file.open("w", newline="") as handle:
        table = csv.writer(handle)
        table.writerow(["path", *(f"p_{name}" for name in class_names)])
        table.writerows([path, *scores] for path, scores in rows.items())
    return file


def fitted(dataset: VideoFolder, distillation: Distillation, **settings: object) -> SingleFrame:
    data = video_data(dataset, batch_size=4, **settings)
    torch.manual_seed(0)
    model = SingleFrame(class_names=list(data.class_names), clip=data.clip, task=data.task.name, backbone="small")
    trainer = Trainer(
        max_epochs=3, logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu",
        enable_model_summary=False, callbacks=[distillation], limit_val_batches=0,
    )  # fmt: skip
    trainer.fit(model, data)
    return model


def test_a_model_is_asked_once_for_every_training_video_and_for_no_other(
    clip_dataset: VideoFolder, clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    run = saved_run(tmp_path / "teacher", video_data(clip_dataset))
    first = fitted(clip_dataset, Distillation(str(run), alpha=1.0))
    (kept,) = (tmp_path / "vidcls" / "teachers").glob("*.csv")
    with kept.open(newline="") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    records = video_data(clip_dataset).split("train")
    assert list(rows) == [record.name for record in records]
    scores = Predictor(run)(clip_folder / records[3].name).scores
    assert [float(rows[records[3].name][f"p_{name}"]) for name in CLASSES] == pytest.approx(scores, abs=1e-6)
    assert first.teacher is None
    monkeypatch.setattr("vidcls.callbacks.distillation.open_model", None)  # the second time it is not opened
    again = fitted(clip_dataset, Distillation(str(run), alpha=1.0))
    from_file = fitted(clip_dataset, Distillation(str(kept), alpha=1.0))
    labels_too = fitted(clip_dataset, Distillation(str(kept), alpha=0.1))
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name]), name
        assert torch.equal(weight, from_file.state_dict()[name]), name
    assert any(not torch.equal(w, labels_too.state_dict()[name]) for name, w in first.state_dict().items())


def test_classes_and_videos_are_matched_by_name(clip_dataset: VideoFolder, tmp_path: Path) -> None:
    records = video_data(clip_dataset).split("train")
    rows = {f"somewhere/{record.name}": (0.7, 0.2, 0.1) for record in reversed(records)}
    file = write(tmp_path / "scores.csv", rows, ("still", "left", "right"))
    assert np.unique(read_teacher(file, records, SingleLabel(CLASSES)), axis=0).tolist() == [[0.2, 0.1, 0.7]]


def test_what_does_not_fit_is_one_line(clip_dataset: VideoFolder, tmp_path: Path) -> None:
    records = video_data(clip_dataset).split("train")
    rows = {record.name: (0.7, 0.2, 0.1) for record in records}
    for name, content, message in (
        ("few.csv", dict(list(rows.items())[1:]), f"lacks 1 of 12 training videos, the first {records[0].name}"),
        ("above.csv", dict.fromkeys(rows, (7.0, 0.2, 0.1)), "not probabilities"),
        ("sums.csv", dict.fromkeys(rows, (0.7, 0.7, 0.1)), "add up to 1.5: in the task single_label"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            read_teacher(write(tmp_path / name, content), records, SingleLabel(CLASSES))
    other = write(tmp_path / "other.csv", rows, ("left", "right", "rest"))
    with pytest.raises(ConfigurationError, match="rest, still"):
        read_teacher(other, records, SingleLabel(CLASSES))
    (tmp_path / "text.csv").write_text("name\nx\n")
    with pytest.raises(ConfigurationError, match="path and p_<class>"):
        read_teacher(tmp_path / "text.csv", records, SingleLabel(CLASSES))
    file = write(tmp_path / "all.csv", rows)
    windows = tmp_path / "windows.csv"
    windows.write_text(file.read_text() + file.read_text().splitlines()[1] + "\n")
    with pytest.raises(ConfigurationError, match=rf"windows.csv:14: scores {records[0].name} a second time"):
        read_teacher(windows, records, SingleLabel(CLASSES))
    with pytest.raises(ConfigurationError, match="mixup_alpha"):
        fitted(clip_dataset, Distillation(str(file)), mixup_alpha=0.2)
    swaps = TransformSettings(resize_px=24, crop_px=16, flip_label_swaps={"left": "right"})
    with pytest.raises(ConfigurationError, match="flip_label_swaps"):
        fitted(clip_dataset, Distillation(str(file)), transform=swaps)


def test_a_teacher_of_another_task_is_refused_also_where_its_scores_are_kept(
    clip_dataset: VideoFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    run = saved_run(tmp_path / "teacher", video_data(clip_dataset))
    fitted(clip_dataset, Distillation(str(run)))
    with pytest.raises(ConfigurationError, match="the teacher has the task single_label, and the data multi_label"):
        fitted(clip_dataset, Distillation(str(run)), task="multi_label")

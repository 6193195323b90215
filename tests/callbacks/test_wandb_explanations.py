"""Kernels, heat and the page of a test in Weights & Biases, offline."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from factories import two_stream
from lightning.pytorch import Trainer

from vidcls.callbacks import ResultFiles, WandbExplanations, WandbRun
from vidcls.datasets import VideoFolder
from vidcls.errors import FlowError
from vidcls.loading import VideoDataModule
from vidcls.models import TwoStream
from vidcls.video import LocalFile

MakeData = Callable[..., VideoDataModule]
MakeTrainer = Callable[..., Trainer]


def media(run: Path) -> dict[str, list[Path]]:
    """Files of media by kind in the offline runs of a folder."""
    files = [path for path in run.glob("wandb/offline-run-*/files/media/*/**/*") if path.is_file()]
    found: dict[str, list[Path]] = {}
    for path in files:
        found.setdefault(path.relative_to(next(p for p in path.parents if p.name == "media")).parts[0], []).append(path)
    return found


@pytest.fixture
def logger(offline: None, tmp_path: Path) -> WandbRun:
    logger = WandbRun(project="tests")
    logger.place(tmp_path)
    return logger


@pytest.fixture
def data(clip_dataset: VideoFolder, small_data: MakeData) -> VideoDataModule:
    return small_data(clip_dataset, streams=("rgb", "flow"), flow_len=2)


def model_of(data: VideoDataModule) -> TwoStream:
    return two_stream(class_names=data.class_names, clip=data.clip)


def test_kernels_heat_and_the_page_of_the_test_are_media(
    logger: WandbRun, data: VideoDataModule, small_trainer: MakeTrainer, tmp_path: Path
) -> None:
    trainer = small_trainer(
        tmp_path, logger=logger, callbacks=[WandbExplanations(tmp_path, num_samples=2)], max_epochs=1
    )
    trainer.fit(model_of(data), data)
    pictures = [path.relative_to(tmp_path).as_posix() for path in media(tmp_path)["images"]]
    assert sum("images/kernels" in path for path in pictures) == 1
    assert sum("images/val/heat" in path for path in pictures) == 2
    assert all((tmp_path / path).read_bytes().startswith(b"\x89PNG") for path in pictures)

    best = tmp_path / "checkpoints/best.ckpt"
    logger.resume(str(logger.version))
    files = [ResultFiles(tmp_path, checkpoint=best), WandbExplanations(tmp_path, num_samples=2)]
    small_trainer(tmp_path, logger=logger, callbacks=files).test(model_of(data), data, verbose=False)
    (page,) = [path for path in media(tmp_path)["html"] if "test/report" in path.as_posix()]
    text = page.read_text(encoding="utf-8")
    test = json.loads((tmp_path / "test.json").read_text())
    assert f"Tested on {test['num_videos']} videos" in text
    assert "data:image/webp;base64," in text
    assert not (tmp_path / "report.html").exists()


def test_without_weights_and_biases_nothing_is_written(
    data: VideoDataModule, small_trainer: MakeTrainer, tmp_path: Path
) -> None:
    trainer = small_trainer(tmp_path, callbacks=[WandbExplanations(tmp_path)], max_epochs=1)
    trainer.fit(model_of(data), data)
    assert not (tmp_path / "wandb").exists()


@pytest.mark.filterwarnings("always")
def test_a_video_without_a_picture_is_named(
    logger: WandbRun, data: VideoDataModule, small_trainer: MakeTrainer, tmp_path: Path
) -> None:
    looks = WandbExplanations(tmp_path, num_samples=3)
    trainer = small_trainer(tmp_path, logger=logger, callbacks=[looks], max_epochs=1)
    model = model_of(data)
    trainer.fit(model, data)
    before = len([p for p in media(tmp_path)["images"] if "val/heat" in p.as_posix()])
    record = data.split("val")[0]
    gone = type(record)(LocalFile(tmp_path / "gone.avi"), record.label, "val", record.name)
    data.records = [gone if one == record else one for one in data.records]  # the list belongs to all tests
    with pytest.warns(UserWarning, match=r"no heat map in W&B: .*gone\.avi"):
        looks.teardown(trainer, model, "fit")
    assert before == 3


@pytest.mark.filterwarnings("always")
def test_where_new_videos_cannot_be_looked_at_the_run_goes_on_without_heat(
    logger: WandbRun,
    data: VideoDataModule,
    small_trainer: MakeTrainer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise FlowError("flow of another tool cannot be computed for new videos")

    monkeypatch.setattr("vidcls.callbacks.wandb_explanations.Explainer", refuse)
    trainer = small_trainer(tmp_path, logger=logger, callbacks=[WandbExplanations(tmp_path)], max_epochs=1)
    with pytest.warns(UserWarning, match="no heat maps in W&B: flow of another tool"):
        trainer.fit(model_of(data), data)
    assert "images" not in media(tmp_path)

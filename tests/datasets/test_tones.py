"""Moving shapes with sound: a frame, the motion and the tone each know a part of the class, and no more."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer, seed_everything

from vidcls.clips.log_mel import band_of, log_mel, span_of_columns
from vidcls.datasets import MovingShapes
from vidcls.datasets.tones import PITCHES
from vidcls.loading import VideoDataModule
from vidcls.models import AudioVisual
from vidcls.training.optimization import OptimizationSettings
from vidcls.transforms import TransformSettings
from vidcls.types import AUDIO, RGB
from vidcls.video import open_video
from vidcls.video.sound import sound_between


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> MovingShapes:
    made = MovingShapes(tmp_path_factory.mktemp("tones"), num_train=32, num_val=16, num_test=16, size_px=32, sound=True)
    made.prepare()
    return made


def test_every_class_of_colour_and_motion_has_both_pitches(dataset: MovingShapes) -> None:
    assert len(dataset.class_names) == 16
    assert {name.rpartition("_")[2] for name in dataset.class_names} == set(PITCHES)
    assert len(dataset.records) == 64


def test_no_picture_tells_the_pitch_and_no_sound_the_colour_or_the_motion(dataset: MovingShapes) -> None:
    """So frames and flow leave a half, and sound leaves one of eight: 1/8, 1/4 and 1/8 where frames leave 1/8."""
    pictures, sounds = defaultdict(set), defaultdict(set)
    for record in dataset.split("train"):
        shapes, _, pitch = record.label.rpartition("_")
        with open_video(record.source) as video:
            pictures[record.group, shapes].add(video.pixels(range(video.num_frames)).tobytes())
        (samples,) = sound_between(record.source, [(0.0, 0.64)]) or ()
        sounds[record.group, pitch].add(samples.tobytes())
    assert len(pictures) == 2 * 8
    assert all(len(same) == 1 for same in pictures.values())
    assert len(sounds) == 2 * 2
    assert all(len(same) == 1 for same in sounds.values())


def test_the_tone_is_high_or_low_as_the_label_says(dataset: MovingShapes) -> None:
    middle = (band_of(PITCHES["high"]) + band_of(PITCHES["low"])) / 2
    for record in dataset.records:
        (samples,) = sound_between(record.source, [span_of_columns(0.1, 40)]) or ()
        loudest = log_mel(samples).mean(axis=1).argmax()
        assert (loudest > middle) is np.bool_(record.label.endswith("high")), record.name


def test_without_sound_the_videos_are_those_that_they_were(tmp_path: Path) -> None:
    sizes = {"num_train": 16, "num_val": 16, "num_test": 16}
    assert MovingShapes(tmp_path, **sizes).root.name != MovingShapes(tmp_path, **sizes, sound=True).root.name
    assert MovingShapes(tmp_path).root.name == MovingShapes(tmp_path, sound=False).root.name


def test_it_is_made_for_one_disc_and_both_pitches(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="num_objects is 2, and sound is made for one"):
        MovingShapes(tmp_path, num_objects=2, sound=True)
    with pytest.raises(ValueError, match="num_train is 8: expected a multiple of 16"):
        MovingShapes(tmp_path, num_train=8, sound=True)


@pytest.mark.slow
def test_frames_and_sound_reach_what_neither_reaches_alone(tmp_path: Path) -> None:
    """At best 1/8 each and 1/4 together; chance is 1/16."""
    seed_everything(0)
    dataset = MovingShapes(tmp_path, num_train=256, num_val=16, num_test=128, size_px=32, sound=True)
    data = VideoDataModule(
        dataset,
        streams=(RGB, AUDIO),
        audio_seconds=0.4,
        transform=TransformSettings(
            resize_px=32, crop_px=32, flip_probability=0.0, rgb_mean=(0.5, 0.5, 0.5), rgb_std=(0.25, 0.25, 0.25)
        ),
        batch_size=32,
        test_batch_size=32,
        num_workers=0,
    )
    model = AudioVisual(
        class_names=data.class_names,
        clip=data.clip,
        spatial="small",
        audio="small",
        dropout=0.0,
        optimization=OptimizationSettings(optimizer="adamw", lr=0.003),
    )
    trainer = Trainer(max_epochs=8, accelerator="cpu", logger=False, enable_checkpointing=False, barebones=False)
    trainer.fit(model, data)
    trainer.test(model, data, verbose=False)
    assert model.test_scores is not None
    top1 = {row: metrics["top1"] for row, metrics in model.test_scores.table().items()}
    assert max(top1["spatial"], top1["audio"]) <= 1 / 8 + 0.04
    assert top1["model"] > 0.2
    assert torch.isfinite(torch.tensor(top1["model"]))

"""Several training clips from one opening of a video (repeated augmentation)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from factories import video_data
from hypothesis import given, settings
from hypothesis import strategies as st
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from opened_files import watch_decoders, watch_frames

from vidcls.datasets import VideoFolder
from vidcls.errors import ConfigurationError
from vidcls.loading import VideoDataModule
from vidcls.loading.clip_dataset import ClipKey
from vidcls.loading.samplers import TrainBatches
from vidcls.models import TwoStream
from vidcls.transforms import TransformSettings
from vidcls.types import VideoRecord
from vidcls.video import LocalFile

pytestmark = pytest.mark.filterwarnings("ignore")


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3))
def test_a_batch_has_all_clips_of_its_videos_and_its_neighbours_show_different_ones(
    num_videos: int, per_batch: int, num_repeats: int, world_size: int
) -> None:
    for rank in range(world_size):
        plain, repeated = (
            TrainBatches(num_videos, per_batch * r, seed=3, num_repeats=r, rank=rank, world_size=world_size)
            for r in (1, num_repeats)
        )
        plain.epoch = repeated.epoch = 2
        assert len(plain) == len(repeated)  # an epoch of as many batches, each of R times the clips
        assert plain.videos_per_step == repeated.videos_per_step
        for before, batch in zip(plain, repeated, strict=True):
            videos = {key.index for key in before}
            assert Counter(key.index for key in batch) == dict.fromkeys(videos, num_repeats)
            assert len(set(batch)) == len(batch)
            assert [key for key in batch if key.repeat == 0] == before
            if len(videos) > 1:  # MixUp mixes each clip with the one before it, the first with the last
                assert all(one.index != other.index for one, other in zip(batch, [*batch[1:], batch[0]], strict=True))


@pytest.mark.parametrize("streams", [("rgb",), ("rgb", "flow")])
def test_a_video_is_opened_once_and_its_clips_are_those_that_each_key_gives_alone(
    streams: tuple[str, ...], clip_dataset: VideoFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = video_data(clip_dataset, streams=streams, clip_len=2, flow_len=2, batch_size=6, num_repeats=3)
    loader = data.train_dataloader()
    opened, asked = watch_decoders(monkeypatch), watch_frames(monkeypatch)
    batches = list(loader)
    assert len(batches) == 6  # 12 videos, two in a batch
    assert len(opened) == 12
    for _, frames in asked:
        assert len(set(frames)) == len(frames)
    clips = loader.loader.loader.dataset
    for batch in batches:
        assert Counter(batch["index"].tolist()).most_common()[-1][1] == 3
        for k, index in enumerate(batch["index"].tolist()):
            alone = clips[ClipKey(0, 0, index, k // 2)]
            for name in streams:
                assert torch.equal(batch["streams"][name][k], alone["streams"][name])
    first = batches[0]["streams"]["rgb"]
    assert not torch.equal(first[0], first[2])  # drawn on their own


def test_without_repeats_the_clips_are_what_they_were(clip_dataset: VideoFolder) -> None:
    assert ClipKey(1, 2, 3, 0).derived_seed() == 1452325159219566277
    assert len({ClipKey(1, 2, 3, repeat).derived_seed() for repeat in range(100)}) == 100
    once, twice = (
        list(video_data(clip_dataset, clip_len=2, batch_size=3 * r, num_repeats=r).train_dataloader()) for r in (1, 2)
    )
    for before, batch in zip(once, twice, strict=True):
        assert torch.equal(before["streams"]["rgb"], batch["streams"]["rgb"][:3])


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_video_that_cannot_be_read_is_left_out_once(
    num_workers: int, clip_dataset: VideoFolder, tmp_path: Path
) -> None:
    (tmp_path / "bad.avi").write_bytes(b"no video")
    data = video_data(clip_dataset, batch_size=26, num_repeats=2, bad_videos="skip", num_workers=num_workers)
    bad = VideoRecord(source=LocalFile(tmp_path / "bad.avi"), label="left", split="train", name="bad.avi")
    data.records = [*data.records, bad]
    (batch,) = list(data.train_dataloader())
    assert batch["skipped"] == [str(tmp_path / "bad.avi")]
    assert len(batch["label"]) == 24
    data.teardown("fit")


def trained(
    data: VideoDataModule, folder: Path, *, resume: Path | None = None, save: ModelCheckpoint | None = None
) -> Trainer:
    seed_everything(3)
    model = TwoStream(class_names=data.class_names, clip=data.clip, spatial="small", temporal="small", dropout=0.5)
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        max_steps=6,
        max_epochs=-1,
        callbacks=[save] if save else [],
        enable_checkpointing=save is not None,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
    )
    trainer.fit(model, data, ckpt_path=resume, weights_only=True if resume else None)
    return trainer


def test_a_training_with_repeats_and_mixup_resumes_in_mid_epoch_to_the_last_bit(
    clip_dataset: VideoFolder, tmp_path: Path
) -> None:
    def data(**changes: object) -> VideoDataModule:
        transform = TransformSettings(resize_px=32, crop_px=24, rand_augment=1)
        given = {"batch_size": 6, "num_repeats": 2, "mixup_alpha": 0.4, **changes}
        return video_data(clip_dataset, streams=("rgb", "flow"), flow_len=2, transform=transform, **given)

    save = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=2, save_top_k=-1)
    whole = trained(data(), tmp_path, save=save)
    assert whole.num_training_batches == 4  # 12 videos in batches of 3, twice each
    resumed = trained(data(), tmp_path, resume=tmp_path / "step=2.ckpt")
    weights = (trainer.lightning_module.state_dict() for trainer in (whole, resumed))
    for (name, one), other in zip(next(weights).items(), next(weights).values(), strict=True):
        assert torch.equal(one, other), name
    with pytest.raises(ConfigurationError, match=r"an epoch of 2 clips of each video, now it is 1: keep --data\.num_r"):
        trained(data(num_repeats=1, batch_size=3), tmp_path, resume=tmp_path / "step=2.ckpt")


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"num_repeats": 0}, "num_repeats must be at least 1"), ({"num_repeats": 3}, "must be a multiple of it, got 8")],
)
def test_batches_that_cannot_be_are_refused(changes: dict[str, int], message: str, clip_dataset: VideoFolder) -> None:
    with pytest.raises(ValueError, match=message):
        video_data(clip_dataset, **changes)

"""MixUp and CutMix of clips: the arithmetic, both streams alike, and the same draws whatever else is random."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, Trainer

from vidcls.datasets import VideoFolder
from vidcls.loading import VideoDataModule
from vidcls.loading.mixing import mixed
from vidcls.models import TwoStream
from vidcls.transforms import TransformSettings
from vidcls.types import Batch

B, K = 4, 3


def batch() -> Batch:
    """Each clip is its own number everywhere, flow its negative."""
    numbers = torch.arange(1.0, B + 1)[:, None, None, None, None]
    return Batch(
        streams={
            "rgb": numbers.expand(B, 3, 2, 8, 10).clone(),
            "flow": -numbers.expand(B, 2, 5, 8, 10).clone(),
        },
        label=torch.tensor([0, 1, 2, 2]),
        index=torch.arange(B),
    )


@pytest.mark.parametrize("seed", range(5))
def test_mixup_adds_neighbours_with_the_weights_of_the_targets(seed: int) -> None:
    found = mixed(batch(), K, mixup_alpha=0.8, cutmix_alpha=0.0, seed=seed)
    values = found["streams"]["rgb"][:, 0, 0, 0, 0]
    numbers, before = torch.arange(1.0, B + 1), torch.arange(1.0, B + 1).roll(1)
    share = (values[0] - before[0]) / (numbers[0] - before[0])
    assert 0 <= share <= 1
    assert torch.allclose(values, share * numbers + (1 - share) * before)
    assert torch.allclose(found["streams"]["rgb"], values[:, None, None, None, None].expand_as(found["streams"]["rgb"]))
    assert torch.allclose(
        found["streams"]["flow"], -values[:, None, None, None, None].expand_as(found["streams"]["flow"])
    )
    hot = torch.nn.functional.one_hot(found["label"], K).float()
    assert torch.allclose(found["target"], share * hot + (1 - share) * hot.roll(1, 0))
    assert found["label"].tolist() == [0, 1, 2, 2]


@pytest.mark.parametrize("seed", range(5))
def test_cutmix_puts_one_box_into_all_frames_and_counts_its_area(seed: int) -> None:
    found = mixed(batch(), K, mixup_alpha=0.0, cutmix_alpha=1.0, seed=seed)
    foreign = found["streams"]["rgb"][1] == 1  # the clip before it
    assert torch.equal(foreign, foreign[:1, :1].expand_as(foreign))
    assert torch.equal(found["streams"]["flow"][1, 0, 0] == -1, foreign[0, 0])
    rows, columns = foreign[0, 0].nonzero(as_tuple=True)
    if len(rows):
        assert len(rows) == (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1)
    share = 1 - foreign[0, 0].float().mean()
    assert torch.allclose(found["target"][1], torch.tensor([1 - share, share, 0.0]), atol=1e-6)


def test_a_coin_decides_and_draws_depend_on_the_seed_alone() -> None:
    state = torch.get_rng_state()
    methods = []
    for seed in range(20):
        found = mixed(batch(), K, mixup_alpha=1.0, cutmix_alpha=1.0, seed=seed)
        again = mixed(batch(), K, mixup_alpha=1.0, cutmix_alpha=1.0, seed=seed)
        assert torch.equal(found["streams"]["rgb"], again["streams"]["rgb"])
        methods.append(bool((found["streams"]["rgb"][1, 0, 0] == found["streams"]["rgb"][1, 0, 0, 0, 0]).all()))
    assert 0 < sum(methods) < 20
    assert torch.equal(state, torch.get_rng_state())


def test_without_an_alpha_or_a_clip_nothing_is_done() -> None:
    assert "target" not in mixed(batch(), K, mixup_alpha=0.0, cutmix_alpha=0.0, seed=0)
    empty = Batch(label=torch.empty(0, dtype=torch.long), index=torch.empty(0, dtype=torch.long))
    assert mixed(empty, K, mixup_alpha=1.0, cutmix_alpha=0.0, seed=0) == empty


class Looks(Callback):
    """Keeps the batches of training and of validation."""

    def __init__(self) -> None:
        self.train: list[Batch] = []
        self.val: list[Batch] = []

    def on_train_batch_start(self, trainer: Trainer, pl_module: object, batch: Batch, batch_idx: int) -> None:
        self.train.append(batch)

    def on_validation_batch_start(
        self, trainer: Trainer, pl_module: object, batch: Batch, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self.val.append(batch)


def fit(data: VideoDataModule, run: Path) -> Looks:
    torch.manual_seed(0)
    model = TwoStream(class_names=data.class_names, clip=data.clip, spatial="small", temporal="small")
    looks = Looks()
    Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        callbacks=[looks],
        default_root_dir=run,
    ).fit(model, data)
    return looks


def test_training_is_mixed_validation_is_not_and_epochs_differ(clip_dataset: VideoFolder, tmp_path: Path) -> None:
    def data() -> VideoDataModule:
        return VideoDataModule(
            clip_dataset,
            streams=("rgb", "flow"),
            flow_len=2,
            transform=TransformSettings(resize_px=None, crop_px=32, train_crop="center", flip_probability=0.0),
            batch_size=4,
            num_workers=0,
            mixup_alpha=0.5,
            cutmix_alpha=0.5,
        )

    looks = fit(data(), tmp_path)
    assert len(looks.train) == 6
    for found in looks.train:
        assert torch.allclose(found["target"].sum(dim=1), torch.ones(4))
    assert all("target" not in found for found in looks.val)
    again = fit(data(), tmp_path)
    for one, other in zip(looks.train, again.train, strict=True):
        assert torch.equal(one["streams"]["rgb"], other["streams"]["rgb"])
        assert torch.equal(one["target"], other["target"])
    assert len({tuple(found["target"].flatten().tolist()) for found in looks.train}) > 3


def test_bad_alphas_are_refused(clip_dataset: VideoFolder) -> None:
    with pytest.raises(ValueError, match="mixup_alpha"):
        VideoDataModule(clip_dataset, mixup_alpha=-1.0)


@pytest.mark.parametrize("streams", [("rgb", "flow"), ("rgb",), ("flow",)])
def test_clips_are_augmented_alike_in_the_worker_and_on_the_device(
    streams: tuple[str, ...], clip_dataset: VideoFolder
) -> None:
    def batches(augment_on: str) -> list[Batch]:
        data = VideoDataModule(
            clip_dataset,
            streams=streams,  # type: ignore[arg-type]
            clip_len=3,
            flow_len=2,
            transform=TransformSettings(
                resize_px=None,
                crop_px=28,
                flip_probability=0.5,
                color_jitter=0.5,
                flip_label_swaps={"left": "right"},
                rotation_degrees=20,
                rand_augment=2,
                erasing_probability=0.5,
            ),
            batch_size=4,
            num_workers=0,
            augment_on=augment_on,  # type: ignore[arg-type]
        )
        return [data.on_after_batch_transfer(batch, 0) for batch in data.train_dataloader()]

    in_worker, on_device = batches("worker"), batches("device")
    for one, other in zip(in_worker, on_device, strict=True):
        assert one.keys() == other.keys()
        assert one["streams"].keys() == other["streams"].keys() == set(streams)
        for name, value in one["streams"].items():
            assert torch.equal(value, other["streams"][name]), name
        assert torch.equal(one["label"], other["label"])
        assert torch.equal(one["index"], other["index"])

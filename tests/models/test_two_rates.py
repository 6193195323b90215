"""A model that sees the frames of a clip at two rates, from the files to a prediction and its explanation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from factories import video_data
from lightning.pytorch import Trainer
from opened_files import watch_decoders, watch_frames
from torch import Tensor, nn

from vidcls.datasets import VideoFolder
from vidcls.errors import CheckpointError
from vidcls.explain import Explainer
from vidcls.explain.pictures import write_heat
from vidcls.inference import NetworkInput
from vidcls.loading import VideoDataModule
from vidcls.loading.from_config import data_module_of
from vidcls.models import VideoClassifier
from vidcls.models.input_shapes import input_shapes
from vidcls.predict import Predictor
from vidcls.transforms import TransformSettings
from vidcls.types import ClipSettings, Stream
from vidcls.video import open_video

WHOLE = TransformSettings(resize_px=None, crop_px=(32, 40), train_crop="center", flip_probability=0)  # of clip_folder
VARIED = TransformSettings(resize_px=30, crop_px=24, flip_probability=0.5, color_jitter=0.5)


class TwoRates(VideoClassifier):
    """Frames in detail, few of them, beside all of them in less detail, as in SlowFast."""

    streams: ClassVar = (Stream("slow", "rgb", every=4), Stream("fast", "rgb"))

    def __init__(self, **shared: Any) -> None:
        super().__init__(**shared)
        self.slow, self.fast = nn.Conv3d(3, 8, (1, 3, 3)), nn.Conv3d(3, 2, (3, 3, 3))
        self.head = nn.Linear(10, self.num_classes)

    def forward(self, slow: Tensor, fast: Tensor) -> Tensor:  # type: ignore[override]
        """Slow ``(B, 3, T/4, H, W)`` and fast ``(B, 3, T, H, W)`` -> logits ``(B, K)``."""
        maps = (self.slow(slow).relu(), self.fast(fast).relu())
        return self.head(torch.cat([values.mean(dim=(2, 3, 4)) for values in maps], dim=1))


def data_of(dataset: VideoFolder, **settings: object) -> VideoDataModule:
    given = {"clip_len": 8, "transform": WHOLE, "batch_size": 4, **settings}
    return video_data(dataset, streams=TwoRates.streams, **given)


def test_both_rates_are_frames_of_the_file_from_one_decode_of_it(
    clip_dataset: VideoFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, asked = watch_decoders(monkeypatch), watch_frames(monkeypatch)
    data = data_of(clip_dataset, test_batch_size=7)
    (batch,) = data.test_dataloader()
    paths = [record.path for record in data.split("test")]
    assert [path for _, path in opened] == paths
    assert asked == [(path, list(range(8))) for path in paths]
    assert {name: tuple(stream.shape) for name, stream in batch["streams"].items()} == {
        "slow": (7, 1, 3, 2, 32, 40),
        "fast": (7, 1, 3, 8, 32, 40),
    }
    for k, path in enumerate(paths):
        with open_video(path) as video:
            whole = video.frames(range(8)).transpose(0, 1)  # (3, 8, 32, 40)
        assert torch.equal(batch["streams"]["fast"][k, 0], whole)
        assert torch.equal(batch["streams"]["slow"][k, 0], whole[:, [0, 4]])


@pytest.mark.parametrize("augment_on", ["worker", "device"])
@pytest.mark.parametrize("train_crop", ["random", "random_resized"])
def test_both_rates_have_one_crop_flip_and_colour(clip_dataset: VideoFolder, augment_on: str, train_crop: str) -> None:
    transform = replace(VARIED, train_crop=train_crop)
    data = data_of(clip_dataset, transform=transform, augment_on=augment_on, clip_len=5)
    plain = data_of(clip_dataset, transform=replace(transform, flip_probability=0.0, color_jitter=0.0), clip_len=5)
    changed = 0
    for batch, straight in zip(data.train_dataloader(), plain.train_dataloader(), strict=True):
        streams = data.on_after_batch_transfer(batch, 0)["streams"]
        assert torch.equal(streams["slow"], streams["fast"][:, :, ::4])
        changed += not torch.equal(streams["fast"], plain.on_after_batch_transfer(straight, 0)["streams"]["fast"])
    assert changed > 0


def test_it_is_trained_tested_and_predicts_with_the_scores_of_the_test(
    clip_dataset: VideoFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    data = data_of(clip_dataset, transform=VARIED, test_clips=2, clip_len=6, mixup_alpha=0.5)
    model = TwoRates(class_names=data.class_names, clip=data.clip)
    before = [parameter.clone() for parameter in model.parameters()]
    trainer = Trainer(
        max_steps=1,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        default_root_dir=tmp_path,
    )
    trainer.fit(model, data)
    assert not any(torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))
    trainer.test(model, data, verbose=False)
    trainer.save_checkpoint(tmp_path / "two_rates.ckpt")
    assert model.test_scores is not None
    opened, asked = watch_decoders(monkeypatch), watch_frames(monkeypatch)
    predictor = Predictor(tmp_path / "two_rates.ckpt", device="cpu")
    assert isinstance(predictor.model, TwoRates)
    assert predictor.input_settings.streams == TwoRates.streams
    for record, expected in zip(data.split("test"), model.test_scores.scores["model"], strict=True):
        assert predictor(record.path).scores == pytest.approx(expected.tolist(), abs=1e-5)
    assert len(opened) == len(asked) == len(data.split("test"))
    explanation = Explainer(tmp_path / "two_rates.ckpt", device="cpu")(record.path, method="saliency")
    assert {title: heat.shape[0] for title, heat in explanation.clips[0].heats.items()} == {"slow": 2, "fast": 6}
    assert explanation.clips[0].frames["slow"] == explanation.clips[0].frames["fast"][::4]
    assert all(file.is_file() for file in write_heat(explanation, tmp_path / "heat.png"))
    monkeypatch.setattr(TwoRates, "streams", (Stream("slow", "rgb", every=2), TwoRates.streams[1]))
    with pytest.raises(CheckpointError, match=r"TwoRates now sees .*'every': 2.*, but was trained on .*'every': 4"):
        Predictor(tmp_path / "two_rates.ckpt", device="cpu")


def test_shapes_and_the_exported_graph_follow_the_rates() -> None:
    clip = ClipSettings(num_snippets=2, clip_len=6, flow_len=5)
    assert input_shapes(TwoRates.streams, clip, 24) == [(1, 3, 4, 24, 24), (1, 3, 12, 24, 24)]
    assert input_shapes((Stream("motion", "flow", every=2),), clip, 24) == [(1, 2, 6, 24, 24)]
    model = TwoRates(class_names=["a", "b"], clip=clip).eval()
    streams = tuple(torch.randn(shape) for shape in input_shapes(model.streams, clip, 24))
    exported = torch.export.export(model, streams).module()
    assert torch.allclose(exported(*streams), model(*streams), atol=1e-6)


def test_a_data_section_in_plain_types_has_the_streams_of_the_model(clip_folder: Path) -> None:
    section = {"dataset": {"class_path": "VideoFolder", "init_args": {"root": str(clip_folder)}}}
    data = data_module_of(section, streams=[stream.plain() for stream in TwoRates.streams])
    assert data.input_settings.streams == TwoRates.streams


def test_the_kind_decides_how_a_stream_is_normalised_whatever_it_is_called(clip_dataset: VideoFolder) -> None:
    data = VideoDataModule(
        clip_dataset, streams=(Stream("flow", "rgb"), Stream("rgb", "flow")), flow_len=2, transform=WHOLE, num_workers=0
    )
    settings = data.input_settings
    loaded = {"flow": torch.zeros(1, 3, 1, 4, 4, dtype=torch.uint8), "rgb": torch.ones(1, 2, 2, 4, 4)}
    fed = NetworkInput(settings)(loaded)
    assert torch.allclose(fed["flow"][0, :, 0, 0, 0], -torch.tensor(WHOLE.rgb_mean) / torch.tensor(WHOLE.rgb_std))
    assert not fed["rgb"].any()  # a field without its mean
    batch = next(iter(data.train_dataloader()))
    assert (batch["streams"]["flow"].dtype, batch["streams"]["rgb"].dtype) == (torch.uint8, torch.float32)

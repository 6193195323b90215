"""Flow that is estimated on the device, between the crops that the network sees."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch
from factories import video_data
from torch import Tensor, nn

from vidcls.clips.indices import ends
from vidcls.clips.settings import InputSettings
from vidcls.datasets import VideoFolder
from vidcls.errors import ConfigurationError
from vidcls.flow import FlowSettings, estimate
from vidcls.flow.codec import dequantize, quantize
from vidcls.inference.network_input import NetworkInput, flow_between, with_flow
from vidcls.loading import VideoDataModule
from vidcls.loading.batches import augmented_batch
from vidcls.transforms import TransformSettings
from vidcls.types import Batch, StreamKind

WHOLE = TransformSettings(
    resize_px=None, crop_px=(32, 40), train_crop="center", flip_probability=0
)  # of the clips of clip_folder


def texture(height: int = 48, width: int = 64) -> Tensor:
    """A smooth picture ``(3, H, W)`` whose motion can be seen everywhere."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    grey = 128 + 50 * torch.sin(x / 3.0) + 50 * torch.cos(y / 4.0 + x / 9.0)
    return grey.to(torch.uint8).expand(3, -1, -1).contiguous()


def data_of(dataset: VideoFolder, **settings: object) -> VideoDataModule:
    return video_data(
        dataset, **{"streams": ("rgb", "flow"), "clip_len": 2, "flow_len": 3, "transform": WHOLE, **settings}
    )


def batch_of(data: VideoDataModule) -> Batch:
    batch = augmented_batch(next(iter(data.train_dataloader())), data.input_settings.loaded_kinds)
    batch["streams"] = with_flow(batch["streams"], data.input_settings)
    return batch


@pytest.mark.parametrize("method", ["dis", "tvl1"])
def test_each_field_leads_from_the_first_to_the_second_frame_of_its_pair(method: str) -> None:
    still = texture()
    moved_right, moved_down = still.roll(2, dims=-1), still.roll(1, dims=-2)
    frames = torch.stack([still, moved_right, still, moved_down, still, still])  # three pairs
    views = torch.stack([frames, frames.flip(0)])  # (V, 6, 3, H, W): the pairs backwards, each the other way round
    flow = flow_between(views.transpose(1, 2), FlowSettings(method=method))  # type: ignore[arg-type]
    assert flow.shape == (2, 2, 3, 48, 64)
    inner = flow[..., 12:-12, 12:-12].flatten(-2).median(dim=-1).values  # (V, 2, 3)
    assert inner[0, :, 0].tolist() == pytest.approx([2, 0], abs=0.15)
    assert inner[0, :, 1].tolist() == pytest.approx([0, 1], abs=0.15)
    assert inner[1, :, 1].tolist() == pytest.approx([0, -1], abs=0.15)
    assert inner[1, :, 2].tolist() == pytest.approx([-2, 0], abs=0.15)
    assert torch.equal(flow[0, :, 2], torch.zeros(2, 48, 64))  # equal frames: exactly no motion


def test_fields_are_cut_to_the_bound() -> None:
    still = texture()
    pair = torch.stack([still, still.roll(2, dims=-1)], dim=1)
    assert flow_between(pair, FlowSettings(bound_px=1.5)).max() == 1.5


def test_a_whole_picture_has_the_flow_of_its_file(clip_dataset: VideoFolder) -> None:
    settings = FlowSettings(method="tvl1", bound_px=8)
    by_worker = batch_of(data_of(clip_dataset, flow_settings=settings))
    by_device = batch_of(data_of(clip_dataset, flow_settings=settings, flow_on="device"))
    assert by_device["streams"]["flow"].dtype == torch.float32
    assert by_device["streams"]["flow"].abs().max() > 1
    assert torch.equal(dequantize(quantize(by_device["streams"]["flow"], 8), 8), by_worker["streams"]["flow"])
    assert torch.equal(by_device["streams"]["rgb"], by_worker["streams"]["rgb"])


def test_frames_for_flow_are_cropped_and_mirrored_like_rgb(clip_dataset: VideoFolder) -> None:
    transform = TransformSettings(resize_px=30, crop_px=24, flip_probability=0.5)
    data = data_of(clip_dataset, clip_len=4, flow_len=2, transform=transform, flow_on="device", batch_size=12)
    batch = next(iter(data.train_dataloader()))
    pairs = batch["streams"]["flow"]
    assert pairs.shape == (12, 3, 4, 24, 24)
    # Two fields around the third of 4 frames lead from the second to the third and from there to the fourth.
    assert torch.equal(pairs[:, :, [0, 1, 3]], batch["streams"]["rgb"][:, :, [1, 2, 3]])


@pytest.mark.parametrize("augment_on", ["worker", "device"])
def test_mirroring_on_the_device_mirrors_the_frames_too(clip_dataset: VideoFolder, augment_on: str) -> None:
    transform = TransformSettings(resize_px=None, crop_px=24, flip_probability=1.0)
    settings = FlowSettings(bound_px=8)
    data = data_of(clip_dataset, transform=transform, flow_settings=settings, flow_on="device", augment_on=augment_on)
    plain = data_of(
        clip_dataset, transform=replace(transform, flip_probability=0), flow_settings=settings, flow_on="device"
    )
    kinds = data.input_settings.loaded_kinds
    batches = (augmented_batch(next(iter(d.train_dataloader())), kinds) for d in (data, plain))
    pairs, straight = (batch["streams"]["flow"] for batch in batches)
    assert torch.equal(pairs.flip(-1), straight)


def test_training_validation_and_test_batches_reach_the_model_with_flow(clip_dataset: VideoFolder) -> None:
    transform = TransformSettings(resize_px=30, crop_px=24, test_crops=3)
    data = data_of(clip_dataset, transform=transform, test_clips=2, flow_on="device")
    for loader, leading in (
        (data.train_dataloader(), (8,)),
        (data.val_dataloader(), (3,)),
        (data.test_dataloader(), (4, 6)),
    ):
        (batch,) = islice(loader, 1)
        fed = data.on_after_batch_transfer(batch, 0)
        assert fed["streams"]["flow"].shape == (*leading, 2, 3, 24, 24)
        assert fed["streams"]["flow"].dtype == torch.float32


def test_no_motion_beyond_the_ends_is_a_pair_of_equal_frames() -> None:
    assert ends([3, None, 7]) == [3, 4, 0, 0, 7, 8]


def test_the_settings_are_kept_with_the_checkpoint(clip_dataset: VideoFolder) -> None:
    data = data_of(clip_dataset, flow_on="device")
    assert InputSettings.from_dict(data.describe_input()).flow_on == "device"
    older = {name: value for name, value in data.describe_input().items() if name != "flow_on"}
    assert InputSettings.from_dict(older).flow_on == "worker"


def test_flow_is_normalised_after_it_is_estimated(clip_dataset: VideoFolder) -> None:
    settings = replace(WHOLE, flow_std_px=2.0, flow_subtract_mean=False)
    data = data_of(clip_dataset, transform=settings, flow_on="device")
    batch = next(iter(data.train_dataloader()))
    flow = flow_between(batch["streams"]["flow"], FlowSettings())
    torch.testing.assert_close(NetworkInput(data.input_settings)(batch["streams"])["flow"], flow / 2)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"streams": ("rgb",)}, "this model has no flow stream"),
        ({"flow": "stored"}, "stored flow stored exclude each other"),
        ({"flow_settings": FlowSettings(short_side_px=24)}, r"short_side_px \(24\) has no effect"),
    ],
)
def test_what_contradicts_flow_on_the_device_is_refused(
    clip_dataset: VideoFolder, settings: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        data_of(clip_dataset, flow_on="device", **settings)


def test_pairs_of_unequal_shape_are_refused() -> None:
    from vidcls.flow.estimators import estimate_pairs

    frames = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
    with pytest.raises(ValueError, match="frames of one shape"):
        estimate_pairs(frames, frames[:1], FlowSettings())
    assert estimate(frames, "tvl1").shape == (1, 2, 32, 32)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_flow_of_the_cpu_within_a_tenth_of_a_pixel() -> None:
    still = texture()
    pairs = torch.stack([still, still.roll(2, dims=-1), still, still.roll(1, dims=-2)], dim=1)  # (3, 4, H, W)
    by_cpu = flow_between(pairs, FlowSettings(method="tvl1"))
    by_gpu = flow_between(pairs.cuda(), FlowSettings(method="tvl1")).cpu()
    assert (by_gpu - by_cpu).abs().mean() < 0.1


def test_a_network_learns_from_it(clip_dataset: VideoFolder, tmp_path: Path) -> None:
    from lightning.pytorch import Trainer

    from vidcls.models import TwoStream

    data = data_of(clip_dataset, flow_settings=FlowSettings(bound_px=8), flow_on="device", batch_size=6)
    torch.manual_seed(0)
    model = TwoStream(class_names=data.class_names, clip=data.clip, spatial="small", temporal="small")
    before = [parameter.clone() for parameter in model.nets["temporal"].parameters()]
    Trainer(
        max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False, default_root_dir=tmp_path
    ).fit(model, data)
    changed = [not torch.equal(a, b) for a, b in zip(before, model.nets["temporal"].parameters(), strict=True)]
    assert all(changed)


def fed(name: StreamKind, values: Tensor, **settings: object) -> Tensor:
    """What a network is fed of one stream."""
    transform = TransformSettings(**settings)  # type: ignore[arg-type]
    return NetworkInput(InputSettings((name,), transform=transform, flow_settings=FlowSettings()))({name: values})[name]


def test_normalised_rgb_is_the_value_from_0_to_1_less_mean_by_deviation() -> None:
    rgb = torch.tensor([0, 51, 255], dtype=torch.uint8).view(3, 1, 1, 1).expand(2, 3, 4, 2, 2)
    result = fed("rgb", rgb, rgb_mean=(0.5, 0.2, 0.4), rgb_std=(0.25, 0.5, 0.3))
    assert result.dtype == torch.float32
    assert torch.allclose(result[1, :, 3, 1, 1], torch.tensor([-2.0, 0.0, 2.0]), atol=1e-6)


def test_normalised_flow_has_no_mean_in_any_field_and_is_divided_by_its_deviation() -> None:
    flow = torch.tensor([[1.0, 3.0], [5.0, 7.0]]).expand(2, 5, 2, 2) + torch.tensor([0.0, 10.0]).view(2, 1, 1, 1)
    result = fed("flow", flow, flow_std_px=2.0)
    assert torch.allclose(result, torch.tensor([[-1.5, -0.5], [0.5, 1.5]]).expand(2, 5, 2, 2))
    kept = fed("flow", flow, flow_std_px=2.0, flow_subtract_mean=False)
    assert torch.allclose(kept, flow / 2)


def test_the_network_is_fed_in_the_precision_asked_for_from_constants_that_no_checkpoint_keeps() -> None:
    settings = InputSettings(("rgb", "flow"), flow_settings=FlowSettings())
    loaded = {"flow": torch.randn(2, 2, 3, 8, 8), "rgb": torch.randint(256, (2, 3, 4, 8, 8), dtype=torch.uint8)}
    exact = NetworkInput(settings)(loaded)
    half = NetworkInput(settings, dtype=torch.bfloat16)
    assert list(exact) == ["rgb", "flow"]
    assert all(torch.equal(half(loaded)[name], exact[name].bfloat16()) for name in exact)
    assert not half.state_dict()
    assert {name for name, _ in half.named_buffers()} == {"rgb_mean", "rgb_std"}
    with pytest.raises(ValueError, match="cast the network alone"):
        half.to(torch.bfloat16)(loaded)


def test_it_is_exported_in_one_graph_with_a_network() -> None:
    class Fed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network_input = NetworkInput(InputSettings(("rgb",)))
            self.network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 2 * 4 * 4, 5))

        def forward(self, rgb: Tensor) -> Tensor:
            return self.network(*self.network_input({"rgb": rgb}).values())

    module, rgb = Fed(), torch.randint(256, (1, 3, 2, 4, 4), dtype=torch.uint8)
    exported = torch.export.export(module, (rgb,))
    assert torch.equal(exported.module()(rgb), module(rgb))
    assert not any("full" in str(node.target) for node in exported.graph.nodes)  # no constant is made in a step

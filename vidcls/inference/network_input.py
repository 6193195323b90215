"""What loaders hand over -> what a network is fed: flow that was left to the device, then normalised streams."""

from __future__ import annotations

from torch import Tensor

from vidcls.clips.settings import InputSettings
from vidcls.flow import FlowSettings
from vidcls.flow.estimators import estimate_pairs
from vidcls.transforms import normalize_flow, normalize_rgb
from vidcls.types import Batch


def normalized(batch: Batch, settings: InputSettings) -> Batch:
    """The batch with RGB and flow as a network is fed; flow that was left to the device is estimated here."""
    batch = with_flow(batch, settings)
    if "rgb" in batch:
        batch["rgb"] = normalize_rgb(batch["rgb"], settings.transform)
    if "flow" in batch:
        batch["flow"] = normalize_flow(batch["flow"], settings.transform)
    return batch


def with_flow(batch: Batch, settings: InputSettings) -> Batch:
    """The batch with flow in place of the frames between which it was left to be estimated."""
    if "flow_frames" in batch:
        assert settings.flow_settings is not None
        batch["flow"] = flow_between(batch.pop("flow_frames"), settings.flow_settings)
    return batch


def flow_between(flow_frames: Tensor, settings: FlowSettings) -> Tensor:
    """Frames ``(..., 3, 2F, H, W)`` uint8, two for each field -> flow ``(..., 2, F, H, W)`` px, cut to the bound.

    It is the flow of the crop at the size of the network, not quantised, and so not that of a store. Only the crops
    of a batch are estimated, whatever the length of their videos.
    """
    pairs = flow_frames.movedim(-3, -4).unflatten(-4, (-1, 2))  # (..., F, 2, 3, H, W)
    *leading, _, C, H, W = pairs.shape
    before, after = pairs.reshape(-1, 2, C, H, W).unbind(1)  # (N, 3, H, W) each
    flow = estimate_pairs(before.contiguous(), after.contiguous(), settings)  # (N, 2, H, W)
    return flow.view(*leading, 2, H, W).movedim(-4, -3)

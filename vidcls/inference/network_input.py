"""What loaders hand over -> what a network is fed: flow that was left to the device, then normalised streams."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from vidcls.clips.log_mel import SILENCE
from vidcls.clips.settings import InputSettings
from vidcls.flow import FlowSettings
from vidcls.flow.estimators import estimate_pairs
from vidcls.types import StreamKind


class NetworkInput(nn.Module):
    """Streams as loaded -> streams as a network is fed.

    RGB is scaled to 0 to 1, has its mean subtracted and is divided by its standard deviation, each channel by its own.
    Flow, estimated here where that was left to the device, has the mean of each field subtracted where the settings say
    so, and is divided by ``flow_std_px``. Sound has the value of silence subtracted, so that what a convolution pads it
    with is silence. The constants are buffers that no checkpoint keeps; the arithmetic is that of
    float32, whatever the network computes in, so that only the network is to be given another precision::

        network_input = NetworkInput(settings, dtype=torch.bfloat16)
        logits = network(*network_input(batch).values())

    The kind of a stream decides what is done to it, whatever its name.

    Args:
        settings: what a clip is; the order of its streams is that of the result.
        dtype: of the result.
        device: where the constants are made. Nothing is copied to it: a copy to a GPU waits until the GPU is idle.
    """

    rgb_mean: Tensor
    rgb_std: Tensor

    def __init__(
        self,
        settings: InputSettings,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.dtype = dtype
        transform = settings.transform
        self.register_buffer("rgb_mean", _by_channel(transform.rgb_mean, device), persistent=False)  # (3, 1, 1, 1)
        self.register_buffer("rgb_std", _by_channel(transform.rgb_std, device), persistent=False)
        self.flow_subtract_mean, self.flow_std_px = transform.flow_subtract_mean, transform.flow_std_px

    def forward(self, loaded: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The streams ``(..., C, T, H, W)`` of a batch as loaded, normalised; of the settings those that are there."""
        return self.normalised(with_flow(loaded, self.settings))

    def normalised(self, streams: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The same of streams whose flow is estimated.

        Raises:
            ValueError: the constants were cast with the network.
        """
        if self.rgb_mean.dtype != torch.float32:
            raise ValueError(
                f"NetworkInput was cast to {self.rgb_mean.dtype}, but normalises in float32: cast the network alone, "
                "and pass dtype to NetworkInput"
            )
        found = [stream for stream in self.settings.streams if stream.name in streams]
        return {s.name: _NORMALISED[s.kind](self, streams[s.name]).to(self.dtype) for s in found}

    def rgb(self, frames: Tensor) -> Tensor:
        """RGB ``(..., 3, T, H, W)`` uint8 -> float32, ``(rgb / 255 - mean) / std`` for each channel."""
        return (frames.float() / 255 - self.rgb_mean) / self.rgb_std

    def flow(self, fields: Tensor) -> Tensor:
        """Flow ``(..., 2, T, H, W)`` px -> float32, without its mean over each field and divided by its scale."""
        fields = fields.float()
        if self.flow_subtract_mean:
            fields = fields - fields.mean(dim=(-2, -1), keepdim=True)
        return fields / self.flow_std_px

    def audio(self, spectrograms: Tensor) -> Tensor:
        """Log-mel spectrograms ``(..., 1, S, M, N)`` -> the same, silence being 0; without sound they stay NaN."""
        return spectrograms.float() - SILENCE

    def on(self, device: torch.device) -> NetworkInput:
        """The same with its constants on a device: itself where they are there."""
        if self.rgb_mean.device == device:
            return self
        return NetworkInput(self.settings, dtype=self.dtype, device=device)


_NORMALISED: dict[StreamKind, Callable[[NetworkInput, Tensor], Tensor]] = {
    "rgb": NetworkInput.rgb,
    "flow": NetworkInput.flow,
    "audio": NetworkInput.audio,
}


def with_flow(streams: Mapping[str, Tensor], settings: InputSettings) -> dict[str, Tensor]:
    """Streams as loaded, with flow in place of the frames between which it was left to be estimated."""
    found = dict(streams)
    for name, kind in settings.loaded_kinds.items():
        if kind == "frame_pairs" and name in found:
            assert settings.flow_settings is not None
            found[name] = flow_between(found[name], settings.flow_settings)
    return found


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


def _by_channel(values: Sequence[float], device: torch.device | None) -> Tensor:
    """Numbers ``(C, 1, 1, 1)`` float32, written on the device."""
    return torch.stack([torch.full((), value, device=device) for value in values]).view(-1, 1, 1, 1)

"""Frames -> the very fields that the store would hold, computed at once."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from vidcls.flow.codec import dequantize, quantize
from vidcls.flow.estimators import estimate_by
from vidcls.flow.saturation import Saturation, SaturationTally
from vidcls.flow.settings import FlowSettings
from vidcls.video import Video

CHUNK_BYTES = 64 * 2**20


def flow_as_stored(frames: Tensor, settings: FlowSettings, *, tally: SaturationTally | None = None) -> Tensor:
    """The flow of neighbouring frames as a store of these settings gives it back, bit for bit.

    Args:
        frames: ``(T, 3, H, W)`` uint8 RGB at the video's own size, neighbours in the file.
        settings: method, bound and size.
        tally: is told how many values the bound cuts.

    Returns:
        ``(T-1, 2, h, w)`` float32 px per frame at the stored size.
    """
    return dequantize(codes_of(frames, settings, tally=tally), settings.bound_px)


def codes_of(frames: Tensor, settings: FlowSettings, *, tally: SaturationTally | None = None) -> Tensor:
    """The 8-bit codes of the flow of neighbouring frames, ``(T-1, 2, h, w)`` uint8."""
    return codes_at_size(at_stored_size(frames, settings), settings, tally=tally)


def codes_at_size(
    frames: Tensor, settings: FlowSettings, *, device: str = "cpu", tally: SaturationTally | None = None
) -> Tensor:
    """The same of frames that have the stored size already; methods in PyTorch run on ``device``."""
    flow = estimate_by(frames.to(device), settings).cpu()
    codes = quantize(flow, settings.bound_px)  # refuses flow that is not finite
    if tally is not None:
        tally.add(Saturation.of(flow, settings.bound_px))
    return codes


def codes_of_video(
    video: Video, settings: FlowSettings, *, device: str = "cpu", tally: SaturationTally | None = None
) -> Iterator[Tensor]:
    """The codes of all fields of a video, ``(2, h, w)`` uint8 each, with some 64 MiB of frames in memory at a time.

    Args:
        video: open.
        settings: method, bound and size.
        device: where methods in PyTorch run; frames are resized on the CPU, as while loading.
        tally: is told how many values the bound cuts.

    Raises:
        DecodeError: a frame cannot be had.
    """
    last: Tensor | None = None
    done = 0
    chunk_len = 1
    while done < video.num_frames:
        frames = video.frames(range(done, min(done + chunk_len, video.num_frames)))
        done += len(frames)
        chunk_len = max(1, CHUNK_BYTES // frames[0].numel())
        frames = at_stored_size(frames, settings)
        if last is not None:
            frames = torch.cat([last, frames])
        last = frames[-1:].clone()  # the next chunk's first field begins at this frame
        if len(frames) > 1:
            yield from codes_at_size(frames, settings, device=device, tally=tally)


def at_stored_size(frames: Tensor, settings: FlowSettings) -> Tensor:
    """Frames ``(T, 3, H, W)`` uint8 at the size at which flow is computed and stored."""
    size = settings.stored_size(*frames.shape[-2:])
    if size == tuple(frames.shape[-2:]):
        return frames
    from torchvision.transforms.v2 import functional as F  # takes longer to import than all the rest

    return F.resize(frames.contiguous(), list(size), antialias=True)

"""Causal layers, and networks of them that continue a stream.

Kondratyuk et al.: MoViNets, CVPR 2021, section 3.2: what a layer needs of earlier frames is kept ("stream buffer"), so
that frames may come one by one, each is computed once, and the answer is that of all of them as one clip::

    one clip     f0 f1 f2 f3 f4 f5  ->  logits
    a stream     f0 f1 | f2 | f3 f4 f5  ->  logits of f0 f1, of f0 f1 f2, and of all six: the same
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

Past = tuple[Tensor, ...]
"""What a layer keeps of earlier frames; empty if there were none."""


class Streamed(nn.Module):
    """A layer that can continue a stream.

    Attributes:
        past: what it keeps of earlier frames; None when it is not in a stream and each clip starts from scratch.
    """

    def __init__(self) -> None:
        super().__init__()
        self.past: Past | None = None


class FramesBefore(Streamed):
    """Prepends the last frames, or zeros if there were none: ``(B, C, T, H, W)`` -> ``N + T`` frames.

    Args:
        num_frames: N.
    """

    def __init__(self, num_frames: int) -> None:
        super().__init__()
        self.num_frames = num_frames

    def forward(self, maps: Tensor) -> Tensor:
        """``(B, C, T, H, W)`` -> ``(B, C, N + T, H, W)``."""
        B, C, _, H, W = maps.shape
        before = self.past[0] if self.past else maps.new_zeros(B, C, self.num_frames, H, W)
        joined = torch.cat([before, maps], dim=2)
        if self.past is not None:
            self.past = (joined[:, :, -self.num_frames :].clone(),)  # not a view, which would keep all of it
        return joined


class CumulativeMean(Streamed):
    """The mean over a frame and all before it: ``(B, C, T, 1, 1)`` of T frames -> the same shape.

    Sums are in float32 at least, whatever the network computes in: in half precision those of a long stream stop
    growing.
    """

    def forward(self, means: Tensor) -> Tensor:
        """``(B, C, T, 1, 1)`` -> ``(B, C, T, 1, 1)``."""
        dtype = torch.promote_types(means.dtype, torch.float32)
        total = means.to(dtype).cumsum(dim=2)
        count = torch.arange(1, means.shape[2] + 1, device=means.device, dtype=dtype).view(1, 1, -1, 1, 1)
        if self.past:
            total, count = total + self.past[0], count + self.past[1]
        if self.past is not None:
            self.past = (total[:, :, -1:].clone(), count[:, :, -1:].clone())
        return (total / count).to(means.dtype)


class MeanSoFar(nn.Module):
    """The mean over all places of a clip and of the frames before it: ``(B, C, T, H, W)`` -> ``(B, C)``."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = CumulativeMean()

    def forward(self, maps: Tensor) -> Tensor:
        """``(B, C, T, H, W)`` -> ``(B, C)``."""
        return self.mean(maps.mean(dim=(3, 4), keepdim=True))[:, :, -1, 0, 0]


class FrameStream:
    """A network over one stream of frames, which come in pieces of any length.

    Several streams of one network may take turns, but not be computed at the same time in several threads.

    Args:
        network: in evaluation mode; every layer of it that looks over time is a :class:`Streamed` one.

    Raises:
        ValueError: it has no such layer.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self._layers = [module for module in network.modules() if isinstance(module, Streamed)]
        if not self._layers:
            raise ValueError(f"{type(network).__name__} looks at frames that come later: it has no stream")
        self.reset()

    def reset(self) -> None:
        """Forget the frames before: the next ones are the first."""
        self._pasts: list[Past] = [()] * len(self._layers)
        self._size: tuple[int, ...] | None = None

    @torch.no_grad()
    def __call__(self, frames: Tensor) -> Tensor:
        """The next frames ``(B, C, T, H, W)`` -> the output of the network for all frames so far.

        Raises:
            ValueError: there is no frame, or they have another batch or frame size than those before; the network is in
                training mode, in which normalization depends on the piece.
        """
        if self._network.training:
            raise ValueError("a stream is scored in evaluation mode: call eval() on the network first")
        if frames.ndim != 5 or not frames.shape[2]:
            raise ValueError(f"frames are {tuple(frames.shape)}; expected (B, C, T, H, W) with T of at least 1")
        size = (*frames.shape[:2], *frames.shape[3:])
        if self._size not in (None, size):
            raise ValueError(
                f"frames are (B, C, H, W) = {size}, those before were {self._size}: a stream keeps its size; call "
                "reset() before the first frame of another one"
            )
        for layer, past in zip(self._layers, self._pasts, strict=True):
            layer.past = past
        try:
            out: Tensor = self._network(frames)
            self._pasts, self._size = [layer.past or () for layer in self._layers], size
        finally:
            for layer in self._layers:
                layer.past = None
        return out

"""The streams of one clip, and the types by which torchvision knows what each of them is."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor
from torchvision import tv_tensors

from vidcls.transforms.flow_tensor import FlowField
from vidcls.types import LoadedKind

ClipPixels = dict[str, Tensor]
"""One clip by stream: RGB ``(T, 3, H, W)`` uint8, flow ``(F, 2, H, W)`` px, or pairs of frames ``(2F, 3, H, W)`` uint8.

Also sound ``(S, 1, M, N)``, log-mel spectrograms, which no crop and no augmentation of pictures touches.

Of a pair the first frame is the one that a field leads from, the second the one that it leads to.
"""

Kinds = Mapping[str, LoadedKind]
"""What each stream of a clip is."""

# The types by which torchvision knows what a mirrored or resized stream is.
_AS_TORCHVISION: dict[LoadedKind, Callable[[Tensor], Tensor]] = {
    "rgb": tv_tensors.Video,
    "flow": FlowField.wrap,
    "frame_pairs": tv_tensors.Video,
}


def apart(clip: ClipPixels, kinds: Kinds) -> tuple[ClipPixels, ClipPixels]:
    """The streams that are seen, and those that are heard."""
    heard = {name: stream for name, stream in clip.items() if kinds[name] == "audio"}
    return {name: stream for name, stream in clip.items() if name not in heard}, heard


def typed(clip: ClipPixels, kinds: Kinds) -> ClipPixels:
    """The streams as torchvision's types."""
    return {name: _AS_TORCHVISION[kinds[name]](stream) for name, stream in clip.items()}


def plain(clip: ClipPixels) -> ClipPixels:
    """The streams as tensors without such types."""
    return {name: stream.as_subclass(Tensor) for name, stream in clip.items()}

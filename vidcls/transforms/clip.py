"""The streams of one clip as decoded -> the same clip at the network's size: one draw for all of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from vidcls.transforms.augmentation import Augmentation, drawn_augmentation
from vidcls.transforms.geometry import before_crop, centre, enlarged_to_hold, three_along
from vidcls.transforms.pixels import ClipPixels, Kinds, apart, plain, typed
from vidcls.transforms.settings import TransformSettings
from vidcls.types import LoadedKind

_REFERENCE: tuple[LoadedKind, ...] = ("rgb", "flow", "frame_pairs")  # whose size the others are brought to
MULTI_SCALES = (1.0, 0.875, 0.75, 0.66)  # Wang et al. 2016: {256, 224, 192, 168} of 256
MULTI_SCALE_PAIRS = tuple(
    (high, wide) for i, high in enumerate(MULTI_SCALES) for j, wide in enumerate(MULTI_SCALES) if abs(i - j) <= 1
)


def train_crop(
    clip: ClipPixels, kinds: Kinds, settings: TransformSettings, *, seed: int
) -> tuple[ClipPixels, Augmentation]:
    """A random crop of ``crop_px``, and what else :func:`vidcls.transforms.augmented` is to do to it, wherever it lies.

    The draw is a function of ``seed`` alone, and torch's own random state is left as it was.
    """
    seen, heard = apart(clip, kinds)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would note the whole stack for a GPU to come
        streams = _random_crop(_same_size(seen, kinds, settings), settings)
        drawn = drawn_augmentation(settings)
    return plain(streams) | heard, drawn


def evaluation_transform(clip: ClipPixels, kinds: Kinds, settings: TransformSettings) -> list[ClipPixels]:
    """The ``test_crops`` crops of a clip, each of ``crop_px``, in a fixed order; each has the same sound."""
    seen, heard = apart(clip, kinds)
    return [crop | heard for crop in _test_crops(seen, kinds, settings)]


def _test_crops(clip: ClipPixels, kinds: Kinds, settings: TransformSettings) -> list[ClipPixels]:
    size = settings.crop_size
    streams = _fit_crop(_same_size(clip, kinds, settings), size)
    if settings.test_crops in (1, 2):
        middle = _each(streams, lambda stream: F.center_crop(stream, list(size)))
        crops = [middle] if settings.test_crops == 1 else [middle, _each(middle, F.horizontal_flip)]
        return [plain(crop) for crop in crops]
    if settings.test_crops == 3:
        places = three_along(_size_of(streams), size)
        return [plain({name: F.crop(streams[name], *place, *size) for name in streams}) for place in places]
    ten = {name: F.ten_crop(stream, list(size)) for name, stream in streams.items()}
    return [plain({name: ten[name][k] for name in ten}) for k in range(10)]


class Box(NamedTuple):
    """A part of a picture in its own pixels, which need not be whole numbers."""

    top: float
    left: float
    height: float
    width: float


def centre_box(size: tuple[int, int], settings: TransformSettings) -> Box:
    """What the centre crop of a video of ``size`` (height, width) shows of it."""
    if settings.stretch:
        return Box(0.0, 0.0, *map(float, size))
    high, wide = before_crop(size, resize_px=settings.resize_px, crop_size=settings.crop_size)
    crop_high, crop_wide = settings.crop_size
    top, left = centre((high, wide), settings.crop_size)
    down, across = size[0] / high, size[1] / wide
    return Box(top * down, left * across, crop_high * down, crop_wide * across)


def _same_size(clip: ClipPixels, kinds: Kinds, settings: TransformSettings) -> ClipPixels:
    """The streams as torchvision types, all at one size: that of RGB, else that of flow, after the resize."""
    streams = typed(clip, kinds)
    first = min(streams, key=lambda name: _REFERENCE.index(kinds[name]))
    if settings.stretch:
        streams[first] = F.resize(streams[first], list(settings.crop_size), antialias=True)
    elif settings.resize_px is not None:
        streams[first] = F.resize(streams[first], [settings.resize_px], antialias=True)
    size = list(streams[first].shape[-2:])
    return {name: stream if name == first else F.resize(stream, size) for name, stream in streams.items()}


def _each(streams: ClipPixels, changed: Callable[[Tensor], Tensor]) -> ClipPixels:
    return {name: changed(stream) for name, stream in streams.items()}


def _size_of(streams: ClipPixels) -> tuple[int, int]:
    """Height and width of streams that are all of one size."""
    height, width = next(iter(streams.values())).shape[-2:]
    return height, width


def _fit_crop(streams: ClipPixels, crop_size: tuple[int, int]) -> ClipPixels:
    """Streams that hold the crop: a smaller video is enlarged, never padded."""
    size = enlarged_to_hold(_size_of(streams), crop_size)
    if size == _size_of(streams):
        return streams
    return _each(streams, lambda stream: F.resize(stream, list(size), antialias=True))


def _random_crop(streams: ClipPixels, settings: TransformSettings) -> ClipPixels:
    size = settings.crop_size
    streams = _fit_crop(streams, size)
    height, width = _size_of(streams)
    if settings.train_crop == "center":
        return _each(streams, lambda stream: F.center_crop(stream, list(size)))
    if settings.train_crop == "random":
        top, left = _draw(height - size[0] + 1), _draw(width - size[1] + 1)
        return _each(streams, lambda stream: F.crop(stream, top, left, *size))
    if settings.train_crop == "random_resized":
        shape_only = torch.empty((1, height, width), device="meta")  # torchvision does not ask a FlowField for its size
        draw = v2.RandomResizedCrop(size, scale=(settings.min_area, 1.0)).make_params([shape_only])
        top, left, high, wide = (draw[name] for name in ("top", "left", "height", "width"))
    else:
        boxes = multi_scale_boxes(height, width)
        top, left, high, wide = boxes[_draw(len(boxes))]
    return _each(streams, lambda stream: F.resized_crop(stream, top, left, high, wide, list(size), antialias=True))


def _draw(num_choices: int) -> int:
    return int(torch.randint(num_choices, ()))


def multi_scale_boxes(height: int, width: int) -> list[tuple[int, int, int, int]]:
    """Top, left, height and width of every crop of ``multi_scale``, each as likely as any other.

    The sides are those of TSN's own code: each pair of scales that are at most one apart, ten in all, of the shorter
    side. The places are those of the paper: the corners and the centre; its code also has eight between them.
    """
    boxes = []
    for scales in MULTI_SCALE_PAIRS:
        high, wide = (max(1, int(min(height, width) * scale)) for scale in scales)
        down, right = height - high, width - wide
        places = [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]
        boxes += [(top, left, high, wide) for top, left in places]
    return boxes

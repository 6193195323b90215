"""The streams of one clip as decoded -> the same clip at the network's size: one draw for all of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from vidcls.transforms.flow_tensor import FlowField
from vidcls.transforms.settings import TransformSettings
from vidcls.types import LoadedKind

_COLOR_FACTORS = ("brightness_factor", "contrast_factor", "saturation_factor")  # as torchvision's ColorJitter has them
MULTI_SCALES = (1.0, 0.875, 0.75, 0.66)  # Wang et al. 2016: {256, 224, 192, 168} of 256
MULTI_SCALE_PAIRS = tuple(
    (high, wide) for i, high in enumerate(MULTI_SCALES) for j, wide in enumerate(MULTI_SCALES) if abs(i - j) <= 1
)


ClipPixels = dict[str, Tensor]
"""One clip by stream: RGB ``(T, 3, H, W)`` uint8, flow ``(F, 2, H, W)`` px, or pairs of frames ``(2F, 3, H, W)`` uint8.

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
_COLORED: tuple[LoadedKind, ...] = ("rgb",)
_REFERENCE: tuple[LoadedKind, ...] = ("rgb", "flow", "frame_pairs")  # whose size the others are brought to


class Augmentation(NamedTuple):
    """What is drawn for a training clip besides its crop.

    Args:
        flipped: whether it is mirrored left to right.
        color: the order of brightness, contrast, saturation and hue (which is left alone), then the factors of the
            first three: seven numbers; None without jitter. They are plain numbers, so that a clip on a GPU can be
            coloured without waiting for the GPU to give them back.
    """

    flipped: bool
    color: tuple[float, ...] | None


def train_crop(
    clip: ClipPixels, kinds: Kinds, settings: TransformSettings, *, seed: int
) -> tuple[ClipPixels, Augmentation]:
    """A random crop of ``crop_px``, and what else is to be done to it, by :func:`augmented`, wherever it then lies.

    The draw is a function of ``seed`` alone, and torch's own random state is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would note the whole stack for a GPU to come
        streams = _random_crop(_same_size(clip, kinds, settings), settings)
        flipped = bool(torch.rand(()) < settings.flip_probability)
        color: tuple[float, ...] | None = None
        if settings.color_jitter > 0:
            jitter = v2.ColorJitter(*[settings.color_jitter] * 3)
            draw = jitter.make_params([])
            factors = torch.tensor([draw[name] for name in _COLOR_FACTORS])  # float32
            color = (*draw["fn_idx"].tolist(), *factors.tolist())
    return _plain(streams), Augmentation(flipped, color)


def augmented(clip: ClipPixels, kinds: Kinds, drawn: Augmentation) -> ClipPixels:
    """The clip mirrored and coloured as drawn, on whatever device it lies."""
    if drawn.flipped:
        clip = _plain({name: F.horizontal_flip(_AS_TORCHVISION[kinds[name]](clip[name])) for name in clip})
    if drawn.color is None:
        return clip
    order, factors = [int(place) for place in drawn.color[:4]], drawn.color[4:]
    params = {"fn_idx": order, **dict(zip(_COLOR_FACTORS, factors, strict=True)), "hue_factor": None}
    jitter = v2.ColorJitter()
    return {name: jitter.transform(clip[name], params) if kinds[name] in _COLORED else clip[name] for name in clip}


def evaluation_transform(clip: ClipPixels, kinds: Kinds, settings: TransformSettings) -> list[ClipPixels]:
    """The ``test_crops`` crops of a clip, each of ``crop_px``, in a fixed order."""
    size = settings.crop_size
    streams = _fit_crop(_same_size(clip, kinds, settings), size)
    if settings.test_crops in (1, 2):
        centre = _each(streams, lambda stream: F.center_crop(stream, list(size)))
        crops = [centre] if settings.test_crops == 1 else [centre, _each(centre, F.horizontal_flip)]
        return [_plain(crop) for crop in crops]
    if settings.test_crops == 3:
        places = _three(streams, size)
        return [_plain({name: F.crop(streams[name], *place, *size) for name in streams}) for place in places]
    ten = {name: F.ten_crop(stream, list(size)) for name, stream in streams.items()}
    return [_plain({name: ten[name][k] for name in ten}) for k in range(10)]


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
    picture = torch.empty((1, *size), device="meta")
    if settings.resize_px is not None:
        picture = F.resize(picture, [settings.resize_px])
    high, wide = _fit_crop({"picture": picture}, settings.crop_size)["picture"].shape[-2:]
    crop_high, crop_wide = settings.crop_size
    # torchvision's center_crop rounds half a pixel like this
    top, left = round((high - crop_high) / 2), round((wide - crop_wide) / 2)
    down, across = size[0] / high, size[1] / wide
    return Box(top * down, left * across, crop_high * down, crop_wide * across)


def _same_size(clip: ClipPixels, kinds: Kinds, settings: TransformSettings) -> ClipPixels:
    """The streams as torchvision types, all at one size: that of RGB, else that of flow, after the resize."""
    streams = {name: _AS_TORCHVISION[kinds[name]](pixels) for name, pixels in clip.items()}
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
    height, width = _size_of(streams)
    if height >= crop_size[0] and width >= crop_size[1]:
        return streams
    enlarge = max(crop_size[0] / height, crop_size[1] / width)
    size = [max(side, round(old * enlarge)) for side, old in zip(crop_size, (height, width), strict=True)]
    return _each(streams, lambda stream: F.resize(stream, size, antialias=True))


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


def _three(streams: ClipPixels, size: tuple[int, int]) -> list[tuple[int, int]]:
    height, width = _size_of(streams)
    spare_height, spare_width = height - size[0], width - size[1]
    if width >= height:
        return [(spare_height // 2, left) for left in (0, spare_width // 2, spare_width)]
    return [(top, spare_width // 2) for top in (0, spare_height // 2, spare_height)]


def _plain(streams: ClipPixels) -> ClipPixels:
    return _each(streams, lambda stream: stream.as_subclass(Tensor))

"""Decoded frames and flow of one clip -> the same clip at the network's size: one draw for all of it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from vidcls.transforms.flow_tensor import FlowField
from vidcls.transforms.settings import TransformSettings

_COLOR_FACTORS = ("brightness_factor", "contrast_factor", "saturation_factor")  # as torchvision's ColorJitter has them
MULTI_SCALES = (1.0, 0.875, 0.75, 0.66)  # Wang et al. 2016: {256, 224, 192, 168} of 256
MULTI_SCALE_PAIRS = tuple(
    (high, wide) for i, high in enumerate(MULTI_SCALES) for j, wide in enumerate(MULTI_SCALES) if abs(i - j) <= 1
)


class ClipPixels(NamedTuple):
    """RGB ``(T, 3, H, W)`` uint8 and flow ``(F, 2, H, W)`` px of one clip; None for a stream that is not wanted.

    In place of flow ``flow_frames`` ``(2F, 3, H, W)`` uint8: for each field the frame that it leads from and the one
    that it leads to, where flow is estimated between the crops.
    """

    rgb: Tensor | None
    flow: Tensor | None
    flow_frames: Tensor | None = None


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


def train_crop(clip: ClipPixels, settings: TransformSettings, *, seed: int) -> tuple[ClipPixels, Augmentation]:
    """A random crop of ``crop_px``, and what else is to be done to it, by :func:`augmented`, wherever it then lies.

    The draw is a function of ``seed`` alone, and torch's own random state is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would note the whole stack for a GPU to come
        streams = _random_crop(_same_size(clip, settings.resize_px), settings)
        flipped = bool(torch.rand(()) < settings.flip_probability)
        color: tuple[float, ...] | None = None
        if settings.color_jitter > 0:
            jitter = v2.ColorJitter(*[settings.color_jitter] * 3)
            draw = jitter.make_params([])
            factors = torch.tensor([draw[name] for name in _COLOR_FACTORS])  # float32
            color = (*draw["fn_idx"].tolist(), *factors.tolist())
    return _unwrap(streams), Augmentation(flipped, color)


def augmented(clip: ClipPixels, drawn: Augmentation) -> ClipPixels:
    """The clip mirrored and coloured as drawn, on whatever device it lies."""
    rgb, flow, flow_frames = clip
    if drawn.flipped:
        rgb = None if rgb is None else F.horizontal_flip(rgb)
        flow_frames = None if flow_frames is None else F.horizontal_flip(flow_frames)
        flow = None if flow is None else F.horizontal_flip(FlowField.wrap(flow)).as_subclass(Tensor)
    if drawn.color is not None and rgb is not None:
        order, factors = [int(place) for place in drawn.color[:4]], drawn.color[4:]
        params = {"fn_idx": order, **dict(zip(_COLOR_FACTORS, factors, strict=True)), "hue_factor": None}
        rgb = v2.ColorJitter().transform(rgb, params)
    return ClipPixels(rgb, flow, flow_frames)


def test_transform(clip: ClipPixels, settings: TransformSettings) -> list[ClipPixels]:
    """The ``test_crops`` crops of a clip, each of ``crop_px``, in a fixed order."""
    size = settings.crop_size
    streams = _fit_crop(_same_size(clip, settings.resize_px), size)
    if settings.test_crops == 1:
        return [_unwrap([F.center_crop(stream, list(size)) for stream in streams])]
    if settings.test_crops == 3:
        return [_unwrap([F.crop(s, top, left, *size) for s in streams]) for top, left in _three(streams, size)]
    crops_by_stream = [F.ten_crop(stream, list(size)) for stream in streams]
    return [_unwrap(list(crop)) for crop in zip(*crops_by_stream, strict=True)]


test_transform.__test__ = False  # type: ignore[attr-defined]  # not a test, whatever pytest makes of its name


class Box(NamedTuple):
    """A part of a picture in its own pixels, which need not be whole numbers."""

    top: float
    left: float
    height: float
    width: float


def centre_box(size: tuple[int, int], settings: TransformSettings) -> Box:
    """What the centre crop of a video of ``size`` (height, width) shows of it."""
    picture = torch.empty((1, *size), device="meta")
    if settings.resize_px is not None:
        picture = F.resize(picture, [settings.resize_px])
    high, wide = _fit_crop([picture], settings.crop_size)[0].shape[-2:]
    crop_high, crop_wide = settings.crop_size
    # torchvision's center_crop rounds half a pixel like this
    top, left = round((high - crop_high) / 2), round((wide - crop_wide) / 2)
    down, across = size[0] / high, size[1] / wide
    return Box(top * down, left * across, crop_high * down, crop_wide * across)


def _same_size(clip: ClipPixels, short_side_px: int | None) -> list[Tensor]:
    """The streams as torchvision types, all at one size: that of RGB, else that of flow, after the resize."""
    streams: list[Tensor] = []
    if clip.rgb is not None:
        streams.append(tv_tensors.Video(clip.rgb))
    if clip.flow is not None:
        streams.append(FlowField.wrap(clip.flow))
    if clip.flow_frames is not None:
        streams.append(tv_tensors.Image(clip.flow_frames))  # another type than that of RGB, to tell them apart
    if short_side_px is not None:
        streams[0] = F.resize(streams[0], [short_side_px], antialias=True)
    size = list(streams[0].shape[-2:])
    return [streams[0], *(F.resize(stream, size) for stream in streams[1:])]


def _fit_crop(streams: list[Tensor], crop_size: tuple[int, int]) -> list[Tensor]:
    """Streams that hold the crop: a smaller video is enlarged, never padded."""
    height, width = streams[0].shape[-2:]
    if height >= crop_size[0] and width >= crop_size[1]:
        return streams
    enlarge = max(crop_size[0] / height, crop_size[1] / width)
    size = [max(side, round(old * enlarge)) for side, old in zip(crop_size, (height, width), strict=True)]
    return [F.resize(stream, size, antialias=True) for stream in streams]


def _random_crop(streams: list[Tensor], settings: TransformSettings) -> list[Tensor]:
    size = settings.crop_size
    streams = _fit_crop(streams, size)
    height, width = streams[0].shape[-2:]
    if settings.train_crop == "center":
        return [F.center_crop(stream, list(size)) for stream in streams]
    if settings.train_crop == "random":
        top, left = _draw(height - size[0] + 1), _draw(width - size[1] + 1)
        return [F.crop(stream, top, left, *size) for stream in streams]
    if settings.train_crop == "random_resized":
        shape_only = torch.empty((1, height, width), device="meta")  # torchvision does not ask a FlowField for its size
        draw = v2.RandomResizedCrop(size, scale=(settings.min_area, 1.0)).make_params([shape_only])
        top, left, high, wide = (draw[name] for name in ("top", "left", "height", "width"))
    else:
        boxes = multi_scale_boxes(height, width)
        top, left, high, wide = boxes[_draw(len(boxes))]
    return [F.resized_crop(stream, top, left, high, wide, list(size), antialias=True) for stream in streams]


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


def _three(streams: list[Tensor], size: tuple[int, int]) -> list[tuple[int, int]]:
    height, width = streams[0].shape[-2:]
    spare_height, spare_width = height - size[0], width - size[1]
    if width >= height:
        return [(spare_height // 2, left) for left in (0, spare_width // 2, spare_width)]
    return [(top, spare_width // 2) for top in (0, spare_height // 2, spare_height)]


def _unwrap(streams: list[Tensor]) -> ClipPixels:
    def of_type(kind: type[tv_tensors.TVTensor]) -> Tensor | None:
        return next((stream.as_subclass(Tensor) for stream in streams if isinstance(stream, kind)), None)

    return ClipPixels(of_type(tv_tensors.Video), of_type(FlowField), of_type(tv_tensors.Image))

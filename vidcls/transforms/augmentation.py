"""A clip as cropped -> the same mirrored, coloured, turned and partly erased as drawn, on whatever device it lies."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from vidcls.transforms.operations import Affine, Operation, affine, done_to_clip, drawn_affine, drawn_operations
from vidcls.transforms.pixels import ClipPixels, Kinds, apart, plain, typed
from vidcls.transforms.settings import TransformSettings
from vidcls.types import LoadedKind

_COLOR_FACTORS = ("brightness_factor", "contrast_factor", "saturation_factor")  # as torchvision's ColorJitter has them
_COLORED: tuple[LoadedKind, ...] = ("rgb",)


class ErasedBox(NamedTuple):
    """What is erased of every frame and field of a clip, in pixels."""

    top: int
    left: int
    height: int
    width: int


class Augmentation(NamedTuple):
    """What is drawn for a training clip besides its crop, in plain numbers.

    So a clip on a GPU can be changed without waiting for the GPU to give them back.

    Args:
        flipped: whether it is mirrored left to right.
        color: the order of brightness, contrast, saturation and hue (which is left alone), then the factors of the
            first three: seven numbers; None without jitter.
        affine: how it is turned, scaled and sheared; None where it is not.
        operations: of RandAugment, in their order.
        erased: what is erased of it; None for nothing.
        fill: red, green and blue, 0 to 255, of what lies beyond the picture and of what is erased. Flow is zero there.
    """

    flipped: bool = False
    color: tuple[float, ...] | None = None
    affine: Affine | None = None
    operations: tuple[Operation, ...] = ()
    erased: ErasedBox | None = None
    fill: tuple[float, float, float] = (0.0, 0.0, 0.0)


def drawn_augmentation(settings: TransformSettings) -> Augmentation:
    """A draw from torch's own random state; what is not asked for draws nothing."""
    flipped = bool(torch.rand(()) < settings.flip_probability)
    color: tuple[float, ...] | None = None
    if settings.color_jitter > 0:
        jitter = v2.ColorJitter(*[settings.color_jitter] * 3)
        draw = jitter.make_params([])
        factors = torch.tensor([draw[name] for name in _COLOR_FACTORS])  # float32
        color = (*draw["fn_idx"].tolist(), *factors.tolist())
    red, green, blue = (round(255 * value) for value in settings.rgb_mean)
    return Augmentation(
        flipped=flipped,
        color=color,
        affine=drawn_affine(settings) if settings.is_affine else None,
        operations=drawn_operations(settings.rand_augment, settings.rand_augment_magnitude, settings.crop_size),
        erased=_drawn_box(settings) if settings.erasing_probability > 0 else None,
        fill=(red, green, blue),
    )


def augmented(clip: ClipPixels, kinds: Kinds, drawn: Augmentation) -> ClipPixels:
    """The clip mirrored, coloured, turned and partly erased as drawn, on whatever device it lies; not its sound."""
    clip, heard = apart(clip, kinds)
    if drawn.flipped:
        clip = {name: F.horizontal_flip(stream) for name, stream in typed(clip, kinds).items()}
    if drawn.color is not None:
        order, factors = [int(place) for place in drawn.color[:4]], drawn.color[4:]
        params = {"fn_idx": order, **dict(zip(_COLOR_FACTORS, factors, strict=True)), "hue_factor": None}
        jitter = v2.ColorJitter()
        clip = plain(clip)
        clip = {name: jitter.transform(clip[name], params) if kinds[name] in _COLORED else clip[name] for name in clip}
    if drawn.affine is not None:
        turn = drawn.affine
        clip = {name: affine(stream, turn, drawn.fill) for name, stream in typed(clip, kinds).items()}
    for operation in drawn.operations:
        colored = [name for name in clip if kinds[name] in _COLORED]
        clip = done_to_clip(typed(clip, kinds), Operation(*operation), colored=colored, fill=drawn.fill)
    if drawn.erased is not None:
        clip = {name: _erased(stream, ErasedBox(*drawn.erased), drawn.fill) for name, stream in plain(clip).items()}
    return plain(clip) | heard


def _drawn_box(settings: TransformSettings) -> ErasedBox | None:
    """The box of RandomErasing (Zhong et al., AAAI 2020) by torchvision; None where nothing is erased."""
    if not bool(torch.rand(()) < settings.erasing_probability):
        return None
    shape_only = torch.empty((1, *settings.crop_size), device="meta")
    draw = v2.RandomErasing(p=1.0, scale=settings.erasing_area).make_params([shape_only])
    if draw["v"] is None:  # no box of this area fits
        return None
    return ErasedBox(draw["i"], draw["j"], draw["h"], draw["w"])


def _erased(stream: Tensor, box: ErasedBox, fill: tuple[float, float, float]) -> Tensor:
    """The stream ``(T, C, H, W)`` without what the box shows: RGB of the mean colour, and nothing moves there."""
    erased = stream.clone()
    values = stream.new_tensor(fill if stream.shape[1] == len(fill) else [0.0] * stream.shape[1])
    rows, columns = slice(box.top, box.top + box.height), slice(box.left, box.left + box.width)
    erased[:, :, rows, columns] = values.view(1, -1, 1, 1)
    return erased

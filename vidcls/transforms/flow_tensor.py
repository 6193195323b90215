"""Flow as a type of torchvision: every geometric transform treats it as motion, every colour transform leaves it alone.

A transform of torchvision v2 hands an unknown tensor type through unchanged, which for flow would be a silent mistake:
so each geometric operation either has a kernel here or is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from vidcls.flow import fields
from vidcls.flow.fields import Matrix

Kernel = TypeVar("Kernel", Tensor, tuple[Tensor, ...])


class FlowField(tv_tensors.TVTensor):
    """Optical flow ``(..., 2, H, W)``: channel 0 = x to the right, channel 1 = y downwards, pixels per frame.

    The values are in pixels of the size at which the field stands: a resize scales them, a flip negates
    one of them, a rotation turns them.
    """

    @classmethod
    def wrap(cls, flow: Tensor) -> FlowField:
        """The same values as flow; errors where the channels are not two."""
        if flow.ndim < 3 or flow.shape[-3] != 2:
            raise ValueError(f"flow is (..., 2, H, W), got {tuple(flow.shape)}")
        return flow.as_subclass(cls)


def _plain(flow: Tensor) -> Tensor:
    return flow.as_subclass(Tensor)


def _on_flow(functional: Callable[..., Kernel]) -> Callable[[Callable[..., Kernel]], Callable[..., Kernel]]:
    return v2.functional.register_kernel(functional, FlowField)


@_on_flow(F.horizontal_flip)
def _horizontal_flip(flow: Tensor) -> Tensor:
    return FlowField.wrap(fields.flip_horizontal(_plain(flow)))


@_on_flow(F.vertical_flip)
def _vertical_flip(flow: Tensor) -> Tensor:
    return FlowField.wrap(fields.flip_vertical(_plain(flow)))


@_on_flow(F.resize)
def _resize(
    flow: Tensor,
    size: list[int] | None,
    interpolation: F.InterpolationMode = F.InterpolationMode.BILINEAR,  # noqa: ARG001 - flow is always bilinear
    max_size: int | None = None,
    antialias: bool | None = True,  # noqa: ARG001
) -> Tensor:
    shape_only = torch.empty((1, *flow.shape[-2:]), device="meta")
    height, width = F.resize(shape_only, size, max_size=max_size).shape[-2:]
    return FlowField.wrap(fields.resize(_plain(flow), (height, width)))


@_on_flow(F.crop)
def _crop(flow: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    return FlowField.wrap(F.crop(_plain(flow), top, left, height, width))


@_on_flow(F.center_crop)
def _center_crop(flow: Tensor, output_size: list[int]) -> Tensor:
    return FlowField.wrap(F.center_crop(_plain(flow), output_size))


@_on_flow(F.resized_crop)
def _resized_crop(
    flow: Tensor,
    top: int,
    left: int,
    height: int,
    width: int,
    size: list[int],
    interpolation: F.InterpolationMode = F.InterpolationMode.BILINEAR,  # noqa: ARG001
    antialias: bool | None = True,  # noqa: ARG001
) -> Tensor:
    cropped = F.crop(_plain(flow), top, left, height, width)
    return FlowField.wrap(fields.resize(cropped, (size[0], size[-1])))


@_on_flow(F.pad)
def _pad(
    flow: Tensor,
    padding: list[int],
    fill: float | list[float] | None = None,  # noqa: ARG001 - outside the picture nothing moves
    padding_mode: str = "constant",
) -> Tensor:
    if padding_mode != "constant":
        raise TypeError(f"flow can be padded with zeros only, got padding_mode={padding_mode!r}")
    return FlowField.wrap(F.pad(_plain(flow), padding, fill=0.0))


@_on_flow(F.five_crop)
def _five_crop(flow: Tensor, size: list[int]) -> tuple[Tensor, ...]:
    return tuple(FlowField.wrap(part) for part in F.five_crop(_plain(flow), size))


@_on_flow(F.ten_crop)
def _ten_crop(flow: Tensor, size: list[int], vertical_flip: bool = False) -> tuple[Tensor, ...]:
    flipped = F.vertical_flip(flow) if vertical_flip else F.horizontal_flip(flow)
    return (*F.five_crop(flow, size), *F.five_crop(flipped, size))


@_on_flow(F.affine)
def _affine(
    flow: Tensor,
    angle: float,
    translate: list[float],
    scale: float,
    shear: list[float],
    interpolation: F.InterpolationMode = F.InterpolationMode.BILINEAR,  # noqa: ARG001
    fill: float | list[float] | None = None,  # noqa: ARG001 - outside the picture nothing moves
    center: list[float] | None = None,
) -> Tensor:
    bilinear = F.InterpolationMode.BILINEAR
    moved = F.affine(_plain(flow), angle, translate, scale, shear, interpolation=bilinear, fill=None, center=center)
    return FlowField.wrap(fields.turned(moved, affine_matrix(angle, scale, shear)))


@_on_flow(F.rotate)
def _rotate(
    flow: Tensor,
    angle: float,
    interpolation: F.InterpolationMode = F.InterpolationMode.BILINEAR,  # noqa: ARG001
    expand: bool = False,
    center: list[float] | None = None,
    fill: float | list[float] | None = None,  # noqa: ARG001
) -> Tensor:
    bilinear = F.InterpolationMode.BILINEAR
    moved = F.rotate(_plain(flow), angle, interpolation=bilinear, expand=expand, center=center, fill=None)
    return FlowField.wrap(fields.turned(moved, affine_matrix(-angle, 1.0, [0.0])))


def affine_matrix(angle: float, scale: float, shear: Sequence[float]) -> Matrix:
    """Where torchvision's ``affine`` takes the vectors (1, 0) and (0, 1), as columns; x to the right, y downwards.

    Args:
        angle: clockwise, in degrees.
        scale: factor.
        shear: along x and along y, in degrees; the latter may be left out.
    """
    turn, shear_x, shear_y = (math.radians(degrees) for degrees in (angle, *shear, 0.0)[:3])
    first = math.cos(turn - shear_y) / math.cos(shear_y), math.sin(turn - shear_y) / math.cos(shear_y)
    second = (
        -first[0] * math.tan(shear_x) - math.sin(turn),
        -first[1] * math.tan(shear_x) + math.cos(turn),
    )
    return (scale * first[0], scale * second[0]), (scale * first[1], scale * second[1])


def _refuse(functional: Callable[..., Tensor]) -> None:
    name = functional.__name__

    def kernel(flow: Tensor, *_args: object, **_kwargs: object) -> Tensor:
        raise TypeError(
            f"{name} bends the picture and is not defined for flow {tuple(flow.shape)}: "
            "use it on RGB-only models, or choose flips, crops, resizes, rotate or affine"
        )

    _on_flow(functional)(kernel)


REFUSED = (F.perspective, F.elastic)
for _functional in REFUSED:
    _refuse(_functional)

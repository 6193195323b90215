"""Flow under torchvision's transforms: every geometric one treats it as motion or refuses it, every other leaves it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F
from torchvision.transforms.v2.functional._utils import _KERNEL_REGISTRY

from vidcls.flow import estimate
from vidcls.transforms import FlowField
from vidcls.transforms.flow_tensor import REFUSED

GEOMETRIC = [f for f in _KERNEL_REGISTRY if f.__module__ == "torchvision.transforms.v2.functional._geometry"]
HEIGHT, WIDTH = 8, 12

# What becomes of a field that moves (3, 1) everywhere: the arguments, the new shape, the new motion.
EXPECTED: dict[str, tuple[tuple[object, ...], tuple[int, int], tuple[float, float]]] = {
    "horizontal_flip": ((), (8, 12), (-3, 1)),
    "vertical_flip": ((), (8, 12), (3, -1)),
    "resize": (([4, 24],), (4, 24), (6, 0.5)),
    "crop": ((1, 2, 4, 6), (4, 6), (3, 1)),
    "center_crop": (([4, 6],), (4, 6), (3, 1)),
    "resized_crop": ((0, 0, 4, 6, [8, 18]), (8, 18), (9, 2)),
    "pad": (([1, 2],), (12, 14), (3, 1)),
    "rotate": ((90.0,), (8, 12), (1, -3)),  # counterclockwise: what moved right moves up
    "affine": ((90.0, [0, 0], 2.0, [0.0, 0.0]), (8, 12), (-2, 6)),  # clockwise, and twice as large
}
SEVERAL: dict[str, list[tuple[float, float]]] = {
    "five_crop": [(3, 1)] * 5,
    "ten_crop": [(3, 1)] * 5 + [(-3, 1)] * 5,
}
ARGUMENTS_OF_REFUSED: dict[str, tuple[object, ...]] = {
    "perspective": ([[0, 0], [11, 0], [11, 7], [0, 7]], [[1, 1], [11, 0], [11, 7], [0, 7]]),
    "elastic": (torch.zeros(1, 8, 12, 2),),
}


def even_motion() -> FlowField:
    return FlowField.wrap(torch.tensor([3.0, 1.0]).view(1, 2, 1, 1).repeat(5, 1, HEIGHT, WIDTH))


def painted() -> Tensor:
    """A field whose value at a pixel is that pixel's position: ``(5, 2, 8, 12)``."""
    y, x = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    return torch.stack([x, y]).float().repeat(5, 1, 1, 1)


def test_the_list_of_geometric_transforms_is_read_from_torchvision() -> None:
    assert {f.__name__ for f in GEOMETRIC} >= {"horizontal_flip", "vertical_flip", "resize", "rotate", "ten_crop"}


@pytest.mark.parametrize("functional", GEOMETRIC, ids=lambda f: f.__name__)
def test_every_geometric_transform_moves_the_vectors_or_refuses_flow(functional: Callable[..., Tensor]) -> None:
    name = functional.__name__
    if name in ARGUMENTS_OF_REFUSED:
        with pytest.raises(TypeError, match=rf"{name} .* not defined for flow"):
            functional(even_motion(), *ARGUMENTS_OF_REFUSED[name])
        return
    if name in SEVERAL:
        parts = functional(even_motion(), [4, 6])
        assert [part.shape for part in parts] == [(5, 2, 4, 6)] * len(SEVERAL[name])
        assert [tuple(part[0, :, 0, 0].tolist()) for part in parts] == SEVERAL[name]
        assert all(type(part) is FlowField for part in parts)
        return
    assert name in EXPECTED, f"say here what {name} does to a vector, or refuse it"
    arguments, shape, motion = EXPECTED[name]
    result = functional(even_motion(), *arguments)
    assert type(result) is FlowField
    assert result.shape == (5, 2, *shape)
    middle = result[:, :, shape[0] // 2, shape[1] // 2]
    assert torch.allclose(middle, torch.tensor(motion, dtype=torch.float32).expand(5, 2), atol=1e-5)


@pytest.mark.parametrize("functional", GEOMETRIC, ids=lambda f: f.__name__)
def test_no_geometric_transform_hands_flow_through_untouched(functional: Callable[..., Tensor]) -> None:
    before = painted()
    name = functional.__name__
    if functional in REFUSED:
        return
    arguments = EXPECTED[name][0] if name in EXPECTED else ([4, 6],)
    result = functional(FlowField.wrap(before), *arguments)
    for part in result if isinstance(result, tuple) else [result]:
        assert part.shape != before.shape or not torch.equal(part.as_subclass(Tensor), before)


def test_a_horizontal_flip_mirrors_the_columns_and_negates_x_only() -> None:
    flipped = F.horizontal_flip(FlowField.wrap(painted())).as_subclass(Tensor)
    assert flipped[0, 0, 0].tolist() == [-11, -10, -9, -8, -7, -6, -5, -4, -3, -2, -1, 0]
    assert torch.equal(flipped[:, 1], painted()[:, 1])


def test_a_vertical_flip_mirrors_the_rows_and_negates_y_only() -> None:
    flipped = F.vertical_flip(FlowField.wrap(painted())).as_subclass(Tensor)
    assert flipped[0, 1, :, 0].tolist() == [-7, -6, -5, -4, -3, -2, -1, 0]
    assert torch.equal(flipped[:, 0], painted()[:, 0])


@pytest.mark.parametrize("flip", [F.horizontal_flip, F.vertical_flip])
def test_a_flip_twice_is_the_identity(flip: Callable[[Tensor], Tensor]) -> None:
    flow = FlowField.wrap(torch.randn(5, 2, 8, 12, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(flip(flip(flow)), flow)


AFFINE = [
    pytest.param(F.rotate, {"angle": 35.0}, id="rotate"),
    pytest.param(F.affine, {"angle": -20.0, "translate": [4, -3], "scale": 1.3, "shear": [12.0, -8.0]}, id="affine"),
    pytest.param(
        F.affine, {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [25.0, 0.0], "center": [0, 0]}, id="shear"
    ),
]


@pytest.mark.parametrize(("functional", "arguments"), AFFINE)
def test_a_known_displacement_is_that_between_the_transformed_places(
    functional: Callable[..., Tensor], arguments: dict[str, object]
) -> None:
    """Where each pixel of the second picture came from is painted on it: the flow of the transformed leads there."""
    H, W = 64, 80
    y, x = torch.meshgrid(torch.arange(H).double(), torch.arange(W).double(), indexing="ij")
    places = torch.stack([x, y])  # (2, H, W)
    linear = torch.tensor([[0.06, -0.03], [0.02, 0.05]], dtype=torch.float64)
    flow = torch.einsum("ij,jhw->ihw", linear, places) + torch.tensor([1.5, -2.0], dtype=torch.float64).view(2, 1, 1)
    bilinear = {"interpolation": F.InterpolationMode.BILINEAR}
    origins = functional(places[None], **arguments, **bilinear)[0]  # of the transformed picture, in that before
    inside = functional(torch.ones(1, 1, H, W).double(), **arguments, **bilinear)[0, 0] > 0.999
    moved = functional(FlowField.wrap(flow[None]), **arguments).as_subclass(Tensor)[0]
    # A place q of the transformed shows p(q); p is affine: p(q + d) = p(q) + P d, so d = P^-1 flow(p(q)).
    P = torch.stack([origins[:, 32, 42] - origins[:, 32, 41], origins[:, 33, 41] - origins[:, 32, 41]], dim=1)
    there = torch.einsum("ij,jhw->ihw", linear, origins) + torch.tensor([1.5, -2.0], dtype=torch.float64).view(2, 1, 1)
    expected = torch.einsum("ij,jhw->ihw", torch.linalg.inv(P), there)
    assert inside.float().mean() > 0.3
    assert (moved - expected)[:, inside].abs().max() < 1e-3


@pytest.mark.parametrize(("functional", "arguments"), AFFINE)
def test_transformed_flow_is_the_flow_of_the_transformed_video(
    functional: Callable[..., Tensor], arguments: dict[str, object]
) -> None:
    """DIS on a texture that glides and grows; estimated before and after the transform."""
    frames = gliding_texture()
    bilinear = {"interpolation": F.InterpolationMode.BILINEAR}
    computed = estimate(functional(tv_tensors.Video(frames), **arguments, **bilinear).as_subclass(Tensor))
    flow = functional(FlowField.wrap(estimate(frames)), **arguments).as_subclass(Tensor)
    inside = functional(torch.ones(1, 1, *frames.shape[-2:]), **arguments, **bilinear)[0, 0] > 0.999
    inside = -torch.nn.functional.max_pool2d(-inside[None, None].float(), 25, 1, 12)[0, 0] > 0.5  # no border in sight
    assert inside.float().mean() > 0.1
    error_px = torch.linalg.vector_norm(flow - computed, dim=1)[:, inside].mean()
    size_px = torch.linalg.vector_norm(computed, dim=1)[:, inside].mean()
    unturned_px = torch.linalg.vector_norm(functional(estimate(frames), **arguments, **bilinear) - computed, dim=1)[
        :, inside
    ].mean()
    assert size_px > 2
    assert error_px < 0.1 * size_px
    assert unturned_px > 2.5 * error_px  # what a plain warp of the values would give


def gliding_texture(num_frames: int = 3) -> Tensor:
    """A smooth texture that moves (3, 1) px a frame and grows by 2 %: ``(T, 3, 96, 128)`` uint8."""
    noise = torch.rand(1, 1, 24, 32, generator=torch.Generator().manual_seed(2))
    texture = torch.nn.functional.interpolate(noise, size=(192, 256), mode="bicubic").clamp(0, 1)
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(128.0), indexing="ij")
    frames = []
    for t in range(num_frames):
        shown = torch.stack([(x - 64) / 1.02**t - 3 * t, (y - 48) / 1.02**t - t], dim=-1)
        grid = shown / torch.tensor([128.0, 96.0])
        frames.append(torch.nn.functional.grid_sample(texture, grid[None], align_corners=False)[0])
    return (torch.stack(frames).repeat(1, 3, 1, 1) * 255).to(torch.uint8)


def test_what_lies_beyond_the_picture_does_not_move() -> None:
    padded = F.pad(even_motion(), [1, 2])
    assert padded[0, :, 0, 0].tolist() == [0, 0]
    with pytest.raises(TypeError, match="zeros only"):
        F.pad(even_motion(), [1, 2], padding_mode="reflect")


@pytest.mark.parametrize(
    "transform",
    [
        v2.ColorJitter(0.5, 0.5, 0.5),
        v2.Normalize([0.5] * 3, [0.5] * 3),
        v2.GaussianBlur(3),
        v2.RandomInvert(1.0),
        v2.RandomPosterize(2, 1.0),
        v2.RandomSolarize(10, 1.0),
        v2.RandomAutocontrast(1.0),
    ],
    ids=lambda t: type(t).__name__,
)
def test_a_colour_transform_changes_rgb_and_leaves_flow_alone(transform: v2.Transform) -> None:
    rgb = tv_tensors.Video(torch.randint(0, 200, (5, 3, 8, 12), generator=torch.Generator().manual_seed(1)).byte())
    if isinstance(transform, v2.Normalize):
        rgb = F.to_dtype(rgb, torch.float32, scale=True)
    torch.manual_seed(0)
    new_rgb, new_flow = transform(rgb, even_motion())
    assert not torch.equal(new_rgb, rgb)
    assert torch.equal(new_flow, even_motion())


def test_flow_of_other_than_two_channels_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(\.\.\., 2, H, W\), got \(5, 3, 8, 12\)"):
        FlowField.wrap(torch.zeros(5, 3, 8, 12))

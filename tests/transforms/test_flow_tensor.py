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
}
SEVERAL: dict[str, list[tuple[float, float]]] = {
    "five_crop": [(3, 1)] * 5,
    "ten_crop": [(3, 1)] * 5 + [(-3, 1)] * 5,
}
ARGUMENTS_OF_REFUSED: dict[str, tuple[object, ...]] = {
    "rotate": (30.0,),
    "affine": (30.0, [1, 1], 1.0, [0.0, 0.0]),
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

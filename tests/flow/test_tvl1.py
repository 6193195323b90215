"""TV-L1 in PyTorch: its step against the equations written out, batches against single pairs, and OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from vidcls.flow import estimate
from vidcls.flow.settings import FlowSettings
from vidcls.flow.tvl1 import median_filtered, primal_dual_step, tvl1

PARAMETERS = {k: float(v) for k, v in FlowSettings("tvl1").parameters().items() if k != "color"}  # type: ignore[arg-type]


def texture(seed: int, *, height: int = 48, width: int = 64) -> Tensor:
    """A smooth random picture ``(1, 1, H, W)``, 0 to 255, larger by 8 px on each side."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 1, (height + 16) // 4, (width + 16) // 4, generator=generator)
    picture = F.interpolate(coarse, (height + 16, width + 16), mode="bicubic", align_corners=False)
    return (picture.clamp(0, 1) * 255).round()


def pair(seed: int, dx: int, dy: int) -> tuple[Tensor, Tensor]:
    """What lies at (x, y) in the first lies at (x + dx, y + dy) in the second."""
    picture = texture(seed)
    return picture[..., 8:-8, 8:-8], picture[..., 8 - dy : -8 - dy, 8 - dx : -8 - dx]


@pytest.mark.parametrize(("dx", "dy"), [(2, 0), (0, -3), (-1, 2)])
def test_a_shift_is_found_to_a_twentieth_of_a_pixel(dx: int, dy: int) -> None:
    flow = tvl1(*pair(0, dx, dy), PARAMETERS)[0, :, 8:-8, 8:-8]
    assert (flow - torch.tensor([dx, dy])[:, None, None]).abs().mean() < 0.05


def test_flow_grows_with_the_picture_from_scale_to_scale() -> None:
    """A pixel found at the coarsest of five scales, and nothing after it, is 1 / 0.8 to the fourth at the finest."""

    def step(flow: Tensor, dual: Tensor, *_: object) -> tuple[Tensor, Tensor]:
        return (torch.ones_like(flow) if flow.shape[-2] < 20 else flow), dual

    flow = tvl1(*pair(0, 0, 0), PARAMETERS, step)
    assert torch.allclose(flow, torch.full_like(flow, 0.8**-4))


def test_a_pair_in_a_batch_is_that_pair_alone() -> None:
    pairs = [pair(0, 2, 0), pair(1, 0, 0), pair(2, -3, 1)]  # they stand still after different numbers of steps
    together = tvl1(torch.cat([p[0] for p in pairs]), torch.cat([p[1] for p in pairs]), PARAMETERS)
    for flow, (first, second) in zip(together, pairs, strict=True):
        assert torch.allclose(flow, tvl1(first, second, PARAMETERS)[0], atol=1e-5)


def test_frames_that_are_computed_together_have_the_flow_of_each_alone() -> None:
    """To the last digit: what is predicted must not depend on how many frames were asked for."""
    picture = texture(0).expand(1, 3, -1, -1).to(torch.uint8)
    frames = torch.cat([picture.roll(k * k, dims=-1) for k in range(4)])
    together = estimate(frames, "tvl1")
    assert torch.equal(together, torch.cat([estimate(frames[k : k + 2], "tvl1") for k in range(3)]))
    assert together.abs().amax() > 1


def test_a_step_is_that_of_the_paper() -> None:
    """IPOL 2013: thresholding of the residual, divergence by backward and gradient by forward differences."""
    generator = torch.Generator().manual_seed(0)
    H, W = 5, 6
    flow, dual = torch.randn(1, 2, H, W, generator=generator), torch.randn(1, 2, 2, H, W, generator=generator) * 0.3
    constant, gradient = torch.randn(1, 1, H, W, generator=generator), torch.randn(1, 2, H, W, generator=generator)
    dual[:, 0, :, :, -1] = dual[:, 1, :, -1, :] = 0  # no gradient across the border
    squared = gradient.square().sum(dim=1, keepdim=True)
    lt, rate, theta = 0.045, 0.25 / 0.3, 0.3
    found, found_dual = primal_dual_step(flow, dual, constant, gradient, squared, lt, rate, theta)

    u, p, g = flow[0].numpy().astype(float), dual[0].numpy().astype(float), gradient[0].numpy().astype(float)
    c = constant[0, 0].numpy().astype(float)
    v, new = np.zeros((2, H, W)), np.zeros((2, H, W))
    for y in range(H):
        for x in range(W):
            rho, size = c[y, x] + g[0, y, x] * u[0, y, x] + g[1, y, x] * u[1, y, x], g[0, y, x] ** 2 + g[1, y, x] ** 2
            along = lt if rho < -lt * size else -lt if rho > lt * size else -rho / size
            for k in (0, 1):
                v[k, y, x] = u[k, y, x] + along * g[k, y, x]
                div = p[0, k, y, x] - (p[0, k, y, x - 1] if x else 0) + p[1, k, y, x] - (p[1, k, y - 1, x] if y else 0)
                new[k, y, x] = v[k, y, x] + theta * div
    assert np.allclose(found[0].numpy(), new, atol=1e-5)
    for k in (0, 1):
        for y in range(H):
            for x in range(W):
                dx = new[k, y, x + 1] - new[k, y, x] if x + 1 < W else 0.0
                dy = new[k, y + 1, x] - new[k, y, x] if y + 1 < H else 0.0
                norm = 1 + rate * np.hypot(dx, dy)
                assert found_dual[0, 0, k, y, x] == pytest.approx((p[0, k, y, x] + rate * dx) / norm, abs=1e-5)
                assert found_dual[0, 1, k, y, x] == pytest.approx((p[1, k, y, x] + rate * dy) / norm, abs=1e-5)


@pytest.mark.parametrize("side_px", [3, 5, 7])
def test_the_median_is_that_of_the_neighbours_with_the_border_continued(side_px: int) -> None:
    flow = torch.randn(2, 2, 9, 11, generator=torch.Generator().manual_seed(0))
    half = side_px // 2
    padded = np.pad(flow.numpy(), ((0, 0), (0, 0), (half, half), (half, half)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side_px, side_px), axis=(2, 3))
    assert np.allclose(median_filtered(flow, side_px).numpy(), np.median(windows, axis=(-2, -1)))


def test_the_error_is_no_larger_than_opencvs(moving_square_frames: Tensor) -> None:
    if not hasattr(cv2, "optflow"):
        pytest.skip("opencv-contrib-python is not installed")
    first, second = pair(3, 2, -1)
    frames = torch.cat([first, second]).expand(-1, 3, -1, -1).to(torch.uint8)
    truth = torch.tensor([2.0, -1.0])[:, None, None]
    errors = [(estimate(frames, m)[0] - truth).norm(dim=0)[8:-8, 8:-8].mean() for m in ("tvl1", "tvl1_opencv")]
    assert errors[0] <= errors[1] + 0.01


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_finds_the_same_field(moving_square_frames: Tensor) -> None:
    on_cpu = estimate(moving_square_frames, "tvl1")
    on_gpu = estimate(moving_square_frames.cuda(), "tvl1")
    assert on_gpu.device.type == "cpu"
    assert (on_gpu - on_cpu).abs().mean() < 0.02

"""TV-L1 in PyTorch: pairs of frames -> flow fields, several at once: many on a GPU, on the CPU some of small pictures.

The scheme is that of Sanchez, Meinhardt-Llopis and Facciolo: TV-L1 Optical Flow Estimation, IPOL 2013, after Zach, Pock
and Bischof 2007, with the constants, the median filter and the rule when to stop of OpenCV's DualTVL1OpticalFlow. It
minimises

    lambda * |I1(x + u) - I0(x)| + |grad u|

from coarse to fine. At every scale I1 is warped by u so far and taken to first order; then u (by a threshold
on the residual) and the dual p of its gradient are updated alternately until u converges.
In contrast to OpenCV the field is filtered by the median once more at the end, which takes out the last specks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from vidcls.flow.raft_estimator import one_torch_thread
from vidcls.flow.settings import FlowSettings

GPU_BATCH_PIXELS = 64 * 340 * 256  # pairs at once: some 3 GB at the most
CPU_BATCH_PIXELS = 4 * 112 * 112  # of small pictures the calls cost more than the work; more leave the cache
LEAST_SIDE_PX = 16  # of a scale
LEAST_SQUARED_GRADIENT = 1e-9
GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601, rounded to whole numbers as in OpenCV

Step = Callable[..., tuple[Tensor, Tensor]]


def estimate_tvl1_torch(frames: Tensor, settings: FlowSettings) -> Tensor:
    """The flow between neighbouring frames ``(T, 3, H, W)`` uint8, ``(T-1, 2, H, W)`` float32 px, on the CPU.

    It is computed where the frames lie: on a GPU in batches, compiled; the digits then differ from the CPU's.
    """
    return tvl1_of_pairs(frames[:-1], frames[1:], settings).cpu()


def tvl1_of_pairs(before: Tensor, after: Tensor, settings: FlowSettings) -> Tensor:
    """The flow from each frame ``(N, 3, H, W)`` uint8 to the other of its pair, ``(N, 2, H, W)`` px, where they lie."""
    parameters = {name: float(value) for name, value in settings.parameters().items() if name != "color"}  # type: ignore[arg-type]
    N, _, H, W = before.shape
    on_gpu = before.device.type == "cuda"
    at_once = max(1, (GPU_BATCH_PIXELS if on_gpu else CPU_BATCH_PIXELS) // (H * W))
    step = compiled_step() if on_gpu else primal_dual_step
    fields = [torch.empty(0, 2, H, W, device=before.device)]
    with torch.inference_mode(), one_torch_thread(before.device):
        for first in range(0, N, at_once):
            some = slice(first, first + at_once)
            fields.append(tvl1(_grey(before[some]), _grey(after[some]), parameters, step))
    return torch.cat(fields).clone()


def tvl1(before: Tensor, after: Tensor, parameters: dict[str, float], step: Step | None = None) -> Tensor:
    """The flow of B pairs of grey pictures ``(B, 1, H, W)`` float32, 0 to 255: ``(B, 2, H, W)`` px.

    Each pair stops when it stands still, whatever the others do.
    """
    step = step or primal_dual_step
    factor = parameters["scale_step"]
    scales = [(before, after)]
    for _ in range(1, int(parameters["scales"])):
        size = [round(side * factor) for side in scales[-1][0].shape[-2:]]
        if min(size) < LEAST_SIDE_PX:
            break
        scales.append((_resized(scales[-1][0], size), _resized(scales[-1][1], size)))
    flow = torch.zeros(len(before), 2, *scales[-1][0].shape[-2:], device=before.device)
    for first, second in reversed(scales):
        if flow.shape[-2:] != first.shape[-2:]:
            flow = _resized(flow, list(first.shape[-2:])) / factor
        flow = _at_one_scale(first, second, flow, parameters, step)
    return median_filtered(flow, int(parameters["median_px"]))


def _grey(frames: Tensor) -> Tensor:
    weights = torch.tensor(GREY, device=frames.device)[None, :, None, None]
    frames = frames.contiguous().float()  # another layout in memory would be added up in another order
    return (frames * weights).sum(dim=1, keepdim=True).round()


def _at_one_scale(first: Tensor, second: Tensor, flow: Tensor, parameters: dict[str, float], step: Step) -> Tensor:
    """Improve the flow of one scale by ``warps`` linearisations."""
    B, _, H, W = first.shape
    with_gradients = torch.cat([second, *_central_differences(second)], dim=1)
    dual = torch.zeros(B, 2, 2, H, W, device=first.device)  # of d/dx and d/dy, each for both components
    threshold = parameters["lambda"] * parameters["theta"]
    rate, theta = parameters["tau"] / parameters["theta"], parameters["theta"]
    num_steps = int(parameters["outer_iterations"] * parameters["inner_iterations"])
    for _ in range(int(parameters["warps"])):
        warped = _warped(with_gradients, flow)
        gradient = warped[:, 1:]
        squared = (gradient * gradient).sum(dim=1, keepdim=True).clamp_min(LEAST_SQUARED_GRADIENT)
        constant = warped[:, :1] - (gradient * flow).sum(dim=1, keepdim=True) - first
        moving = torch.ones(B, 1, 1, 1, dtype=torch.bool, device=first.device)
        for number in range(num_steps):
            if number % int(parameters["inner_iterations"]) == 0:
                flow = torch.where(moving, median_filtered(flow, int(parameters["median_px"])), flow)
            new, new_dual = step(flow, dual, constant, gradient, squared, threshold, rate, theta)
            change = (new - flow).square().sum(dim=1, keepdim=True).mean(dim=(-2, -1), keepdim=True)
            if B == 1:
                flow, dual = new, new_dual
            else:  # a pair that stands still stays as it is
                flow, dual = torch.where(moving, new, flow), torch.where(moving[:, None], new_dual, dual)
            moving = moving & (change > parameters["epsilon"] ** 2)
            if stands_still(moving):
                break
    return flow


def stands_still(moving: Tensor) -> bool:
    """Whether no pair moves any more; the only look at values, for which the processor waits for a GPU."""
    return not bool(moving.any())


def primal_dual_step(
    flow: Tensor,
    dual: Tensor,
    constant: Tensor,
    gradient: Tensor,
    squared: Tensor,
    threshold: float,
    rate: float,
    theta: float,
) -> tuple[Tensor, Tensor]:
    """One step of the flow ``(B, 2, H, W)`` and of its dual ``(B, 2, 2, H, W)``; IPOL 2013, algorithm 1."""
    residual = constant + (gradient * flow).sum(dim=1, keepdim=True)
    along = torch.where(residual.abs() > threshold * squared, -threshold * residual.sign(), -residual / squared)
    p_x, p_y = dual[:, 0], dual[:, 1]
    divergence = p_x - F.pad(p_x[..., :-1], (1, 0)) + p_y - F.pad(p_y[..., :-1, :], (0, 0, 1, 0))
    flow = flow + along * gradient + theta * divergence
    d_x = F.pad(flow[..., 1:] - flow[..., :-1], (0, 1))
    d_y = F.pad(flow[..., 1:, :] - flow[..., :-1, :], (0, 0, 0, 1))
    norm = 1 + rate * torch.sqrt(d_x * d_x + d_y * d_y)
    return flow, torch.stack([(p_x + rate * d_x) / norm, (p_y + rate * d_y) / norm], dim=1)


@cache
def compiled_step() -> Step:
    """The step as one kernel of the GPU, compiled once."""
    return torch.compile(primal_dual_step, dynamic=True)


def median_filtered(flow: Tensor, side_px: int) -> Tensor:
    """Each component filtered by the median of ``side_px`` squared neighbours, the border continued."""
    if flow.device.type == "cpu" and side_px in (3, 5):
        import cv2  # ten times as fast there; the median is the same number

        planes = [torch.from_numpy(cv2.medianBlur(plane.numpy(), side_px)) for plane in flow.flatten(0, 1)]
        return torch.stack(planes).view_as(flow)
    half = side_px // 2
    padded = F.pad(flow, (half, half, half, half), mode="replicate")
    windows = padded.unfold(2, side_px, 1).unfold(3, side_px, 1).flatten(-2)  # (B, 2, H, W, side * side)
    return windows.median(dim=-1).values


def _warped(pictures: Tensor, flow: Tensor) -> Tensor:
    """Pictures ``(B, C, H, W)`` at x + flow, bicubic; 0 outside, where the data then say nothing."""
    H, W = flow.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(H, device=flow.device, dtype=flow.dtype),
        torch.arange(W, device=flow.device, dtype=flow.dtype),
        indexing="ij",
    )
    # From pixel centres to -1 .. 1 over the outer edges of the picture.
    grid = torch.stack([(2 * (x + flow[:, 0]) + 1) / W - 1, (2 * (y + flow[:, 1]) + 1) / H - 1], dim=-1)
    return F.grid_sample(pictures, grid, mode="bicubic", padding_mode="zeros", align_corners=False)


def _central_differences(picture: Tensor) -> tuple[Tensor, Tensor]:
    """d/dx and d/dy, the border continued."""
    padded = F.pad(picture, (1, 1, 1, 1), mode="replicate")
    across = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    down = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    return across, down


def _resized(pictures: Tensor, size: list[int]) -> Tensor:
    return F.interpolate(pictures, size=size, mode="bilinear", align_corners=False)

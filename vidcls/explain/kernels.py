"""The first kernels that a model learnt -> a picture, beside kernels that people made by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from vidcls.errors import VidclsError
from vidcls.figures import COLUMN_INCHES, png_figure, save_png
from vidcls.files import write_arrays
from vidcls.models import VideoClassifier
from vidcls.outputs import named_output
from vidcls.types import CHANNELS, StreamKind

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LETTERS_IN_A_LINE = 64
SMALL_PX = 3
MOST_KERNELS = 96  # as many as AlexNet has in its first layer
GREY = 0.5
HANDMADE_PX = 11


@dataclass(frozen=True)
class FirstKernels:
    """The first convolution of one network of a model.

    Args:
        title: of the network, such as ``spatial``.
        kind: what it sees.
        weights: ``(N, C, T, h, w)``: C is 3 (red, green, blue) or 2 (flow in x and y), T the frames or fields that a
            kernel spans, 1 for an image network.
    """

    title: str
    kind: StreamKind
    weights: Tensor


def first_kernels(model: VideoClassifier) -> list[FirstKernels]:
    """The first kernels of every network of a model, those over stacked frames or fields apart by time."""
    kind_of_stream = {stream.name: stream.kind for stream in model.streams}
    kind_of = {_network(layer.module): kind_of_stream[layer.stream] for layer in model.cam_layers}
    found: list[FirstKernels] = []
    for path, backbone in model.backbones.items():
        kind = kind_of.get(path, model.streams[0].kind)
        channels = CHANNELS[kind]
        stem = next((m for m in backbone.modules() if isinstance(m, nn.Conv2d | nn.Conv3d)), None)
        if stem is None or stem.in_channels % channels:
            continue
        weights = stem.weight.detach().float().cpu()
        if weights.ndim == 4:  # stacked: the channels of one frame or field after those of the other
            weights = weights.unflatten(1, (-1, channels)).transpose(1, 2)  # (N, C, T, h, w)
        title = path.rpartition(".")[2] if len(model.backbones) > 1 else "first layer"
        found.append(FirstKernels(title, kind, weights))
    return found


def kernel_pictures(kernels: FirstKernels) -> Tensor:
    """Each kernel as a row of T pictures ``(N, 3, rows, T*w)`` from 0 to 1, its largest weight black or white.

    Kernels over RGB are shown in colour, those over flow in grey, x above y; mid grey is a weight of 0.
    """
    weights = kernels.weights
    scale = weights.flatten(1).abs().amax(dim=1).clamp_min(1e-12)
    values = GREY + weights / (2 * scale[:, None, None, None, None])  # (N, C, T, h, w)
    in_a_row = values.permute(0, 1, 3, 2, 4).flatten(3)  # (N, C, h, T*w)
    if kernels.kind == "rgb":
        return in_a_row
    return in_a_row.flatten(1, 2)[:, None].expand(-1, 3, -1, -1)  # (N, 3, 2h, T*w)


def handmade_kernels(side_px: int = HANDMADE_PX) -> dict[str, Tensor]:
    """Kernels ``(side, side)`` that were thought out before any were learnt.

    Edges (Sobel) in four directions, a blob (the Laplacian of a Gaussian, Marr and Hildreth 1980), and Gabor functions
    (Daugman 1985) of two wavelengths in four directions.
    """
    import cv2

    half = (side_px - 1) / 2
    y, x = torch.meshgrid(torch.arange(side_px) - half, torch.arange(side_px) - half, indexing="ij")
    window = torch.exp(-(x**2 + y**2) / (2 * (side_px / 5) ** 2))
    found: dict[str, Tensor] = {}
    for degrees in (0, 45, 90, 135):
        angle = math.radians(degrees)
        found[f"edge {degrees}°"] = (x * math.cos(angle) + y * math.sin(angle)) * window
    sigma = side_px / 6
    squared = (x**2 + y**2) / (2 * sigma**2)
    found["blob"] = (1 - squared) * torch.exp(-squared)
    for wavelength_px in (side_px / 3, side_px / 2):
        for degrees in (0, 45, 90, 135):
            gabor = cv2.getGaborKernel(
                (side_px, side_px), side_px / 5, math.radians(degrees), wavelength_px, 1.0, psi=0.0, ktype=cv2.CV_32F
            )
            found[f"Gabor {degrees}°, {wavelength_px:.0f} px"] = torch.from_numpy(np.asarray(gabor))
    return found


def write_kernels(model: VideoClassifier, output: Path) -> list[Path]:
    """Write the picture of the first kernels of a model (``.png``) and the weights beside it (``.npz``).

    Returns:
        the files that were written.

    Raises:
        VidclsError: the model has no first convolution, or a file cannot be written.
    """
    networks = first_kernels(model)
    if not networks:
        raise VidclsError(f"--kernels: {type(model).__name__} has no first convolution that can be shown")
    figure = kernels_figure(networks)
    numbers = output.with_suffix(".npz")
    with named_output(output, option="--kernels"):
        save_png(figure, output, dpi=200)
        write_arrays(numbers, {network.title: network.weights.numpy() for network in networks})
    return [output, numbers]


def kernels_figure(networks: Sequence[FirstKernels]) -> Figure:
    """The first kernels of each network, those made by hand, and what to look for."""
    grids = [(_heading(network), grid(kernel_pictures(network)[:MOST_KERNELS])) for network in networks]
    handmade = torch.stack([k / (2 * k.abs().max()) + GREY for k in handmade_kernels().values()])
    grids.append(("made by hand: edges, a blob, Gabor functions", grid(handmade[:, None].expand(-1, 3, -1, -1))))
    heights = [max(0.5, 5 * picture.shape[1] / picture.shape[2]) for _, picture in grids]
    words = fill(_what_to_look_for(networks), LETTERS_IN_A_LINE)
    inches = sum(heights) + 0.45 * len(grids) + 0.17 * (1 + words.count("\n"))
    figure = png_figure(COLUMN_INCHES, min(60, inches))
    axes_of_grids = figure.subplots(len(grids), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (heading, picture) in zip(axes_of_grids, grids, strict=True):
        axes.imshow(picture.permute(1, 2, 0).numpy(), interpolation="nearest", vmin=0, vmax=1)
        axes.set_title(fill(heading, LETTERS_IN_A_LINE), fontsize=10)
        axes.axis("off")
    figure.suptitle(words, fontsize=10, x=0.02, ha="left")
    return figure


def _what_to_look_for(networks: Sequence[FirstKernels]) -> str:
    """What tells a network that has learnt from one that has not, in sentences."""
    words = (
        "Look for order: edges (bright beside dark), stripes and blobs, as in those made by hand. Speckle without "
        "order is what a network starts from. Mid grey is a weight of 0."
    )
    if any(network.kind == "rgb" for network in networks):
        words += " A kernel of one hue answers to that colour."
    if any(network.kind == "flow" for network in networks):
        words += (
            " Over flow, one brightness in all fields answers to motion in one direction, bright beside dark to the "
            "border of what moves."
        )
    if any(max(network.weights.shape[-2:]) <= SMALL_PX for network in networks):
        words += f" Kernels of {SMALL_PX}x{SMALL_PX} and less are too small for most of this."
    return words


def grid(pictures: Tensor) -> Tensor:
    """Pictures ``(N, 3, h, w)`` from 0 to 1 side by side on white, about twice as wide as high: ``(3, H, W)``."""
    from torchvision.utils import make_grid

    num, _, high, wide = pictures.shape
    columns = max(1, min(num, round(math.sqrt(2.5 * num * high / wide))))
    return make_grid(pictures, nrow=columns, padding=1, pad_value=1.0)


def _heading(network: FirstKernels) -> str:
    num, channels, length, high, wide = network.weights.shape
    shown = f", the first {MOST_KERNELS} of {num}" if num > MOST_KERNELS else ""
    unit = "frames" if network.kind == "rgb" else "flow fields, x above y"
    over = f" over {length} {unit}, in order of time" if length > 1 or channels == 2 else ""
    return f"{network.title}: {num} kernels of {high}x{wide}{over}{shown}"


def _network(module: str) -> str:
    return module.partition(".stages")[0]

"""The frames of a video -> its optical flow as a video or a row of frames: x, y, direction by colour, arrows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vidcls.errors import DatasetError
from vidcls.figures import COLUMN_INCHES, png_figure, save_png
from vidcls.files import write_arrays
from vidcls.flow.estimators import estimate_by
from vidcls.flow.fields import resize
from vidcls.flow.on_the_fly import at_stored_size
from vidcls.flow.pictures import arrow_spacing_px, arrow_times, arrows_on, component_picture, direction_picture
from vidcls.flow.saturation import Saturation, SaturationTally
from vidcls.flow.settings import FlowSettings
from vidcls.outputs import named_output
from vidcls.video import open_video, write_video
from vidcls.video.captions import named_panels
from vidcls.video.slow_motion import shown_fps
from vidcls.video.writer import DEFAULT_FPS

FILM_SUFFIXES = (".mp4", ".mov", ".mkv")
STRIP_SUFFIXES = (".png",)
PANELS = ("frame", "x", "y", "direction", "arrows")
NUM_IN_STRIP = 6
LEAST_SIDE_PX = 192
LEAST_BOUND_PX = 1.0  # a still scene does not become coloured noise
_QUANTILE = 0.99
_CHUNK_LEN = 16


def write_flow_film(
    video: Path,
    output: Path,
    settings: FlowSettings,
    *,
    bound_px: float | None = None,
    tally: SaturationTally | None = None,
) -> list[Path]:
    """Write the flow of a video as a video of five panels, or as a row of evenly spaced fields (``.png``).

    Panels: the frame; motion to the right bright and to the left dark; downwards bright and upwards dark; direction by
    colour and length by saturation; a few arrows, lengthened by what their name says. A video of less than three
    seconds is slowed down to last so long. Beside it lies ``.npz`` with the fields of that row, in pixels per frame,
    and the bound.

    Args:
        video: the file.
        output: the video (``.mp4``, ``.mov``, ``.mkv``) or image (``.png``).
        settings: how flow is computed.
        bound_px: the displacement that is shown at full strength; where None, that which 1 % of the row's vectors
            exceed.
        tally: is told how many of the values that are drawn are beyond that, and so are drawn at full strength.

    Returns:
        the files that were written.

    Raises:
        DecodeError: the video cannot be read.
        DatasetError: it has a single frame, in which nothing moves.
        VidclsError: the output cannot be written; nothing half-written is left.
    """
    with open_video(video) as opened:
        num_fields, fps = opened.num_frames - 1, opened.fps or DEFAULT_FPS
        if num_fields < 1:
            raise DatasetError(f"{video}: has a single frame, so that there is no flow to show")
        chosen = np.linspace(0, num_fields - 1, min(NUM_IN_STRIP, num_fields)).round().astype(int)
        pairs = [opened.frames([int(k), int(k) + 1]) for k in chosen]
    fields = torch.stack([_field(pair, settings)[0] for pair in pairs])  # (n, 2, H, W)
    bound = bound_px or max(LEAST_BOUND_PX, float(np.quantile(fields.norm(dim=1).numpy(), _QUANTILE)))
    numbers = output.with_suffix(".npz")
    with named_output(output):
        if output.suffix.lower() in STRIP_SUFFIXES:
            _write_strip([pair[0] for pair in pairs], fields, [int(k) for k in chosen], bound, output)
            if tally is not None:
                tally.add(Saturation.of(fields, bound))
        else:
            write_video(output, _film(video, settings, bound, tally), fps=shown_fps(num_fields, fps))
        write_arrays(numbers, {"fields": fields.numpy(), "frames": chosen, "bound_px": np.array(bound)})
    return [output, numbers]


def panels(frame: Tensor, field: Tensor, bound_px: float, *, zoom: int = 1) -> list[Tensor]:
    """The pictures of one frame ``(3, H, W)`` and its field ``(2, H, W)``, in order of PANELS.

    All are ``(3, zoom*H, zoom*W)`` uint8.
    """
    pictures = [
        frame,
        component_picture(field[0], bound_px=bound_px),
        component_picture(field[1], bound_px=bound_px),
        direction_picture(field, bound_px=bound_px),
    ]
    enlarged = F.interpolate(torch.stack(pictures), scale_factor=zoom, mode="nearest")
    return [*enlarged, arrows_on(frame, field, bound_px=bound_px, zoom=zoom)]


def panel_names(size: tuple[int, int], bound_px: float) -> tuple[str, ...]:
    """PANELS, with how much longer the arrows are than the motion."""
    times = arrow_times(bound_px, arrow_spacing_px(size))
    return (*PANELS[:-1], PANELS[-1] if times == 1 else f"{PANELS[-1]}, {times:g} times as long")


def _field(frames: Tensor, settings: FlowSettings) -> Tensor:
    """Fields ``(T-1, 2, H, W)`` in pixels of the frames themselves, computed at the size that the settings name."""
    return resize(estimate_by(at_stored_size(frames, settings), settings), (frames.shape[2], frames.shape[3]))


def _film(video: Path, settings: FlowSettings, bound_px: float, tally: SaturationTally | None) -> Iterator[Tensor]:
    """The panels of each frame side by side; some at a time are in memory, and the last frame has no field."""
    with open_video(video) as opened:
        for start in range(0, opened.num_frames - 1, _CHUNK_LEN):
            stop = min(start + _CHUNK_LEN, opened.num_frames - 1)
            frames = opened.frames(range(start, stop + 1))
            size = (frames.shape[2], frames.shape[3])
            zoom, names = _zoom(size), panel_names(size, bound_px)
            fields = _field(frames, settings)
            if tally is not None:
                tally.add(Saturation.of(fields, bound_px))
            for frame, field in zip(frames, fields, strict=False):
                pictures = panels(frame, field, bound_px, zoom=zoom)
                yield named_panels([((name,), picture) for name, picture in zip(names, pictures, strict=True)])


def _write_strip(
    frames: Sequence[Tensor], fields: Tensor, numbers: Sequence[int], bound_px: float, output: Path
) -> None:
    H, W = frames[0].shape[1:]
    columns = [panels(frame, field, bound_px, zoom=_zoom((H, W))) for frame, field in zip(frames, fields, strict=True)]
    names = panel_names((H, W), bound_px)
    side = (COLUMN_INCHES - 0.3) / max(3, len(columns))
    figure = png_figure(COLUMN_INCHES, len(PANELS) * (side * H / W + 0.1) + 0.9)
    grid = figure.subplots(len(PANELS), len(columns), squeeze=False)
    for column, (pictures, number) in enumerate(zip(columns, numbers, strict=True)):
        for row, picture in enumerate(pictures):
            axes = grid[row][column]
            axes.imshow(picture.permute(1, 2, 0).numpy(), interpolation="nearest")
            axes.set_xticks([])
            axes.set_yticks([])
            if column == 0:
                axes.set_ylabel(PANELS[row], fontsize=10)
        grid[0][column].set_title(f"frame {number}", fontsize=9)
    figure.suptitle(f"full strength: {bound_px:.1f} px per frame; {names[-1]}", fontsize=10)
    save_png(figure, output, dpi=200)


def _zoom(size: tuple[int, int]) -> int:
    """By how much small pictures are enlarged, so that arrows have room."""
    return max(1, math.ceil(LEAST_SIDE_PX / min(size)))

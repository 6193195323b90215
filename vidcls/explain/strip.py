"""An explanation -> rows of frames of its middle clip, each with the heat that belongs to it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vidcls.explain.explainer import Explanation
from vidcls.explain.laid_on import flow_bound_px, flow_pictures, laid_on, scaled
from vidcls.figures import COLUMN_INCHES, png_figure, save_png
from vidcls.flow.pictures import arrows_on

NUM_IN_STRIP, IN_A_LINE = 8, 4


class StripRow(NamedTuple):
    """A row of pictures ``(T, 3, H, W)`` uint8 that belong to frames of the video."""

    title: str
    frames: tuple[int, ...]
    pictures: Tensor


def strip_rows(explanation: Explanation) -> list[StripRow]:
    """The middle clip as the network sees it, and each heat on the frame, and on the flow, that it belongs to."""
    clip, heats = explanation.middle, scaled(explanation)[len(explanation.clips) // 2]
    rows: list[StripRow] = []
    if clip.shown is not None:
        rows.append(StripRow("frames", clip.frames[clip.shown], clip.pixels[clip.shown]))
    for title, heat in heats.items():
        stream = clip.streams[title]
        frames = clip.frames[stream.name]
        once = " (one map for all)" if len(heat) > 1 and bool((heat == heat[:1]).all()) else ""
        if stream.kind == "rgb":
            rows.append(StripRow(f"heat of {title}{once}", frames, laid_on(clip.pixels[stream.name], heat)))
            continue
        bound = flow_bound_px(explanation)
        name = f"heat of {title}{once}"
        rows.append(StripRow(f"{name}, on the frames", frames, laid_on(explanation.beside[stream.name], heat)))
        rows.append(
            StripRow(
                f"{name}, on the flow from each frame",
                frames,
                torch.stack(
                    [
                        arrows_on(laid_on(picture, one), field, bound_px=bound)
                        for picture, one, field in zip(
                            flow_pictures(clip, title, bound), heat, clip.pixels[stream.name], strict=True
                        )
                    ]
                ),
            )
        )
    return rows


def write_strip(explanation: Explanation, output: Path) -> None:
    """The rows one under the other, four cells in a line, so that a phone shows their numbers."""
    rows = strip_rows(explanation)
    lines: list[tuple[str, StripRow, Sequence[int]]] = []
    for row in rows:
        places = np.linspace(0, len(row.frames) - 1, min(NUM_IN_STRIP, len(row.frames))).round().astype(int).tolist()
        for k in range(0, len(places), IN_A_LINE):
            lines.append((row.title if k == 0 else "", row, places[k : k + IN_A_LINE]))
    H, W = rows[0].pictures.shape[-2:]
    cell = (COLUMN_INCHES - 0.2) / IN_A_LINE
    heights = [cell * H / W + 0.26 + (0.26 if title else 0.0) for title, _, _ in lines]
    figure = png_figure(COLUMN_INCHES, sum(heights) + 0.7)
    parts = figure.subfigures(len(lines), 1, squeeze=False, height_ratios=heights)[:, 0]
    for part, (title, row, chosen) in zip(parts, lines, strict=True):
        if title:
            part.suptitle(title, fontsize=10, x=0.01, ha="left")
        for axes, number in zip_longest(part.subplots(1, IN_A_LINE), chosen):
            axes.axis("off")
            if number is not None:
                axes.imshow(row.pictures[number].permute(1, 2, 0).numpy(), interpolation="nearest")
                axes.set_title(f"frame {row.frames[number]}", fontsize=10, pad=2)
    figure.suptitle(
        f"{explanation.class_name} {explanation.score:.2f} ({explanation.method}; predicted: "
        f"{explanation.prediction.answer})",
        fontsize=11,
    )
    save_png(figure, output, dpi=150)

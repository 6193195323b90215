"""Draws ``docs/way_of_a_clip.png``: what happens to a clip on its way from a file to a label.

python docs/way_of_a_clip.py [CHECKPOINT]   (the scores are drawn where a two-stream checkpoint is given)
"""

from __future__ import annotations

import sys
from pathlib import Path

from matplotlib.figure import Figure
from torch import Tensor

from vidcls.datasets import MovingShapes
from vidcls.flow import estimate
from vidcls.flow.pictures import arrow_picture, component_picture, direction_picture
from vidcls.video import open_video

FRAMES = (2, 5, 8, 11)
BOUND_PX = 3.0


def main(checkpoint: str | None) -> None:
    shapes = MovingShapes()
    shapes.prepare()
    record = next(record for record in shapes.split("test") if record.label == "red_right")
    with open_video(record.path) as video:
        frames = video.frames(range(video.num_frames))
    flow = estimate(frames)[8]
    figure = Figure(figsize=(11, 5.2), layout="constrained")
    rows = figure.subfigures(2, 1)
    rows[0].suptitle(
        "video file → decoded frames (T, 3, H, W) → RGB clip (3, T, H, W) for the spatial stream", fontsize=10
    )
    _draw(rows[0], [(f"frame {t}", frames[t]) for t in FRAMES], checkpoint, str(record.path), ("spatial",))
    rows[1].suptitle(
        "neighbouring frames → optical flow (T, 2, H, W) in px → flow clip (2, F, H, W) for the temporal stream",
        fontsize=10,
    )
    pictures = [
        ("x: white is to the right", component_picture(flow[0], bound_px=BOUND_PX)),
        ("y: white is down", component_picture(flow[1], bound_px=BOUND_PX)),
        ("direction by colour", direction_picture(flow, bound_px=BOUND_PX)),
        ("arrows, 3 times as long", arrow_picture(flow, spacing_px=8, zoom=6, times=3)),
    ]
    _draw(rows[1], pictures, checkpoint, str(record.path), ("temporal", "model"))
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=110)


def _draw(
    figure: Figure, pictures: list[tuple[str, Tensor]], checkpoint: str | None, video: str, scored: tuple[str, ...]
) -> None:
    num_bars = len(scored) if checkpoint else 0
    widths = [1.0] * len(pictures) + [1.3] * num_bars
    axes = figure.subplots(1, len(widths), width_ratios=widths)
    for axis, (title, picture) in zip(axes, pictures, strict=False):
        axis.imshow(picture.permute(1, 2, 0))
        axis.set_title(title, fontsize=9)
        axis.set_axis_off()
    if checkpoint is None:
        return
    from vidcls.predict import Predictor

    predictor = Predictor(checkpoint)
    scores = predictor.scores_by_row(video)
    for axis, row in zip(axes[len(pictures) :], scored, strict=True):
        axis.barh(predictor.class_names, scores[row], color="tab:blue")
        axis.set_title({"model": "fused"}.get(row, row), fontsize=9)
        axis.set_xlim(0, 1)
        axis.tick_params(labelsize=7)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)

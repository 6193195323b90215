"""Heat: in how many clips does the hottest place lie on the moving disc, once the network is trained, and before?

python scripts/studies/heat.py RUN [RUN ...]

Grad-CAM (Selvaraju et al. 2017) for the right class, on 100 test clips of ``MovingShapes``, for runs that were trained
on it. The disc takes 11 % of the picture. Then the same with random weights.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import nn
from tqdm import tqdm

from vidcls.datasets import MovingShapes
from vidcls.explain import Explainer
from vidcls.files import atomic_write, write_csv
from vidcls.types import VideoRecord
from vidcls.video import open_video

NUM_CLIPS = 100
COLOURED = 40  # red and blue differ by more on the disc, and are alike on the grey background


def hits(explain: Explainer, records: list[VideoRecord]) -> dict[str, int]:
    """Clips whose hottest place lies on the disc, by the title of the heat."""
    found: dict[str, int] = {}
    for record in tqdm(records, leave=False, disable=None):
        clip = explain(record.path, class_name=record.label).clips[0]
        with open_video(record.path) as video:
            frames = video.frames(range(video.num_frames)).int()
        for title, heat in clip.heats.items():
            step, y, x = (int(k) for k in torch.unravel_index(heat.argmax(), heat.shape))
            frame = frames[clip.frames[clip.streams[title].name][step]]
            found[title] = found.get(title, 0) + bool((frame[0, y, x] - frame[2, y, x]).abs() > COLOURED)
    return found


def forget(model: nn.Module, *, seed: int) -> None:
    """Give every layer new random weights."""
    torch.manual_seed(seed)
    for module in model.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folders of runs, or checkpoints")
    parser.add_argument("--num-clips", type=int, default=NUM_CLIPS)
    parser.add_argument("--seed", type=int, default=0, help="of the random weights")
    parser.add_argument("--output", type=Path, default=Path(), help="where heat.csv and heat.png go")
    options = parser.parse_args()
    shapes = MovingShapes()
    shapes.prepare()
    records = shapes.split("test")
    chosen = records[:: max(1, len(records) // options.num_clips)][: options.num_clips]
    rows: list[tuple[str, str, int, int]] = []
    for run in options.runs:
        explain = Explainer(run, device="cpu")
        trained = hits(explain, chosen)
        forget(explain.model, seed=options.seed)
        untrained = hits(explain, chosen)
        rows += [(type(explain.model).__name__, title, trained[title], untrained[title]) for title in trained]
        for row in rows[-len(trained) :]:
            print(f"{row[0]:16} {row[1]:10} trained {row[2]:3d}  random {row[3]:3d}  of {len(chosen)}")
    write_csv(options.output / "heat.csv", [("model", "heat", "trained", "random"), *rows])
    figure = Figure(figsize=(7, 0.7 + 0.35 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    places = range(len(rows))
    axes.barh([p - 0.2 for p in places], [row[2] for row in rows], height=0.38, label="trained", color="#0072b2")
    axes.barh([p + 0.2 for p in places], [row[3] for row in rows], height=0.38, label="random weights", color="#999999")
    axes.set_yticks(places, [f"{row[0]}, {row[1]}" for row in rows])
    axes.invert_yaxis()
    axes.axvline(0.11 * len(chosen), color="#d55e00", linewidth=1, label="share of the disc")
    axes.set_xlabel(f"clips of {len(chosen)} whose hottest place lies on the disc")
    axes.legend(fontsize=8, frameon=False, loc="lower right")
    with atomic_write(options.output / "heat.png") as path:
        figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()

"""How many of the labels that were changed on purpose are found, and how many of those found were changed?

A share of the labels of the training and validation videos of MovingShapes is changed to another class. A probe on
frames and flow scores each of these videos by heads that have not seen it (`validation.csv` of its run), and what is
probably wrong is listed as by `vidcls report`. One row for each share. With --backbone small the networks below the
heads have random weights.
Usage: python benchmarks/label_issues.py [--shares S ...] [--num_videos N] [--backbone NAME] [--num_workers N]
       [--seed N] [--quick] [--output FILE.json]
"""

from __future__ import annotations

import argparse
import csv
import random
import tempfile
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from measuring import parser, report

from vidcls.cli import main as vidcls
from vidcls.datasets import MovingShapes
from vidcls.runs.held_out import read_held_out
from vidcls.runs.label_issues import label_issues


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--shares", type=float, nargs="+", default=[0.0, 0.05, 0.1, 0.2], help="of changed labels")
    options.add_argument("--num_videos", type=int, default=512, help="to train on, a multiple of 8")
    options.add_argument("--backbone", default="small")
    options.add_argument("--num_workers", type=int, default=2)
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    if given.quick:
        given.shares, given.num_videos, given.num_workers = [0.1], 64, 0
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        shapes = MovingShapes(place / "shapes", num_train=given.num_videos, num_val=8, num_test=8, num_frames=8)
        shapes.prepare()
        rows = [_row(shapes, share, place, given) for share in given.shares]
    report(
        f"Changed labels of MovingShapes, found by heads on {given.backbone} for frames and flow",
        (
            "share",
            "videos",
            "top-1 % out of fold",
            "changed",
            "listed",
            "precision %",
            "recall %",
            "precision % of as many",
        ),
        rows,
        given.output,
    )


def _row(shapes: MovingShapes, share: float, place: Path, given: argparse.Namespace) -> tuple[object, ...]:
    changed = changed_labels(shapes, share, given.seed)
    table, run = shapes.root / f"changed_{share:g}.csv", place / f"run_{share:g}"
    with table.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "split", "group"])
        rows.writerows([r.name, changed.get(r.name, r.label), r.split, r.group] for r in shapes.records)
    words = ["--backbone", given.backbone, "--flow_backbone", given.backbone, "--num_workers", str(given.num_workers)]
    if given.backbone == "small":
        words += ["--weights", "null", "--model.flow_weights", "null", "--data.transform.crop_px", "[64,64]"]
    words += ["--data.transform.test_crops", "1", "--data.num_snippets", "3", "--features", str(place / "features")]
    if given.quick:
        words += ["--model.choice.num_folds", "2", "--model.choice.kinds", "[logistic]", "--model.choice.ensemble", "1"]
    with redirect_stdout(StringIO()):
        status = vidcls(["probe", str(table), "--run", str(run), *words])
    assert status == 0, status
    held_out = read_held_out(run)
    assert held_out is not None
    issues = [issue.path for issue in label_issues(held_out.videos)]
    found = len(set(issues) & set(changed))
    first = issues[: len(changed)]
    return (
        f"{100 * share:g} %",
        len(held_out.videos),
        100 * held_out.videos.measured("top1"),
        len(changed),
        len(issues),
        100 * found / len(issues) if issues else float("nan"),
        100 * found / len(changed) if changed else float("nan"),
        100 * len(set(first) & set(changed)) / len(first) if first else float("nan"),
    )


def changed_labels(shapes: MovingShapes, share: float, seed: int) -> dict[str, str]:
    """Another label by the name of a video, for a share of those that are not of the test."""
    draw = random.Random(seed)
    videos = [record for record in shapes.records if record.split != "test"]
    chosen = draw.sample(videos, round(share * len(videos)))
    return {r.name: draw.choice([name for name in shapes.class_names if name != r.label]) for r in chosen}


if __name__ == "__main__":
    main()

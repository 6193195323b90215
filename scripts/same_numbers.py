"""Do two versions of this repository give the same numbers?

Each of the shipped configurations is trained for an epoch, tested and used, by both versions, on the same processor: on
the clips of a csv file, and on a part of the built-in data. Losses, ``test.csv`` and predictions are compared as text.

  python scripts/same_numbers.py 0a1b2c3 . --clips clips/clips.csv

``.`` is the working tree, anything else a commit. Exit status: 0 all equal, 1 something differs, 2 something failed.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = (
    "single_frame",
    "late_fusion",
    "early_fusion",
    "slow_fusion",
    "conv3d",
    "recurrent_conv",
    "tsm",
    "slowfast",
    "x3d",
    "movinet",
    "two_stream",
    "two_stream_fusion",
)
QUIET = ["--trainer.enable_progress_bar", "false", "--trainer.max_epochs", "1", "--data.num_workers", "0"]
LOSSES = ("epoch", "step", "train/loss", "val/loss", "val/top1")


def main() -> int:
    """Run both versions and compare; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", help="a commit")
    parser.add_argument("new", help="a commit, or . for the working tree")
    parser.add_argument("--clips", type=Path, help="a csv file of clips with path, label, split; default: none")
    parser.add_argument("--configs", nargs="+", choices=CONFIGS, default=CONFIGS, help="which to run (default: all)")
    options = parser.parse_args()
    data = {"built-in": ["--trainer.limit_train_batches", "4", "--trainer.limit_val_batches", "2"]}
    if options.clips is not None:
        table = str(options.clips.resolve())
        data["clips"] = ["--data", "video_csv", "--data.dataset.path", table, "--data.batch_size", "4"]
    status = 0
    with tempfile.TemporaryDirectory() as folder, source(options.old) as old, source(options.new) as new:
        cache = Path(folder) / "cache"  # the built-in videos are written once, and are the same for both
        for config in options.configs:
            for name, words in data.items():
                runs = [Path(folder) / f"{config}_{name}_{k}" for k in range(2)]
                for run, tree in zip(runs, (old, new), strict=True):
                    train_test_predict(tree, run, config, words, cache, options.clips)
                found = [f"{what}: {line}" for what, line in differences(*runs)]
                print(f"{config:<18} {name:<9} {'; '.join(found) or 'equal'}", flush=True)
                status = max(status, 1 if found else 0)
    return status


@contextmanager
def source(version: str) -> Iterator[Path]:
    """The files of a version."""
    if version == ".":
        yield ROOT
        return
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        subprocess.run(["git", "worktree", "add", "--detach", "-q", str(tree), version], cwd=ROOT, check=True)
        try:
            yield tree
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(tree)], cwd=ROOT, check=True)


def train_test_predict(tree: Path, run: Path, config: str, words: list[str], cache: Path, clips: Path | None) -> None:
    """All results of one configuration by the sources in ``tree``, in the folder ``run``."""
    test = ["--trainer.limit_test_batches", "2"] if clips is None or "--data" not in words else []
    vidcls(tree, cache, "fit", "--config", config, *words, *QUIET, "--run", str(run))
    vidcls(tree, cache, "test", "--run", str(run), "--ckpt_path", "last", *test)
    videos = videos_of(run, clips if "--data" in words else None, cache)
    checkpoint = run / "checkpoints" / "last.ckpt"
    vidcls(tree, cache, "predict", str(checkpoint), *videos, "--output", str(run / "predictions.csv"))


def videos_of(run: Path, clips: Path | None, cache: Path) -> list[str]:
    """The files of the first tested videos."""
    with (run / "test.csv").open(newline="", encoding="utf-8") as file:
        names = [row["path"] for row in csv.DictReader(file)][:3]
    roots = (
        [clips.resolve().parent]
        if clips is not None
        else [path.parent for path in cache.rglob("test") if path.is_dir()]
    )
    return [str(root / name) for name in names for root in roots if (root / name).is_file()]


def vidcls(tree: Path, cache: Path, *words: str) -> None:
    """A command of the sources in ``tree``; ends the program with status 2 where it fails."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "XDG_CACHE_HOME": str(cache), "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", "import sys; from vidcls.cli import main; sys.exit(main(sys.argv[1:]))", *words]
    done = subprocess.run(command, env=environment, cwd=cache.parent, capture_output=True, text=True)
    if done.returncode:
        print(f"{tree}: vidcls {' '.join(words)} has status {done.returncode}\n{done.stderr[-2000:]}", file=sys.stderr)
        sys.exit(2)


def differences(old: Path, new: Path) -> Iterator[tuple[str, str]]:
    """Which file, and how the two runs differ in it."""
    for name in ("metrics.csv", "test.csv", "predictions.csv"):
        rows = [list(csv.DictReader((run / name).open(newline="", encoding="utf-8"))) for run in (old, new)]
        columns = [c for c in LOSSES if c in rows[0][0]] if name == "metrics.csv" else list(rows[0][0])
        cells = [[[row.get(column) for column in columns] for row in found] for found in rows]
        if name == "metrics.csv":  # a version may write further rows for further columns
            cells = [[row for row in found if any(row[2:])] for found in cells]
        if cells[0] != cells[1]:
            differing = sum(a != b for a, b in zip(*cells, strict=False)) + abs(len(cells[0]) - len(cells[1]))
            first = next((f"{a} / {b}" for a, b in zip(*cells, strict=False) if a != b), "another number of rows")
            yield name, f"{differing} of {len(cells[0])} rows differ, the first: {first}"


if __name__ == "__main__":
    sys.exit(main())

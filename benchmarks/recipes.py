"""What does each recipe of training give: on few built-in videos whose answer is known, and on real clips by folds?

Each recipe changes one thing of the plain training, with the same seeds and folds; a row has its accuracy and the mean
of the differences from the plain one. The epoch is chosen on validation, the test is run once for each training.
Usage: python benchmarks/recipes.py [--data CSV] [--imagenet] [--recipes NAME ...] [--seeds N ...] [--num_folds N]
       [--folds N ...] [--max_epochs N] [--run DIR] [--quick] [--output FILE.json]
The csv, such as that of a copy by vidcls data prepare, is of the six classes of the README's real clips. Trainings that
are in --run with their tests are not repeated. Processor time is that of this process, which loads and trains.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

import torch
from measuring import Measured, parser, report

from vidcls.cli import main as vidcls
from vidcls.datasets.moving_shapes import CLASSES
from vidcls.runs.summary import read_summary

FOLDER = Path(__file__).parent
T, OPT = "--data.transform.", "--model.optimization."
PLAIN = "plain"
REPEATS = "repeats"  # twice the clips of each video in half the epochs
COLOURS = sorted({name.partition("_")[0] for name in CLASSES})
BACKWARDS = ", ".join(f"{colour}_left: {colour}_right, {colour}_up: {colour}_down" for colour in COLOURS)
MIRRORED = ", ".join(f"{colour}_left: {colour}_right" for colour in COLOURS)
FOR_ALL: dict[str, list[str]] = {
    PLAIN: [],
    "rand_augment": [f"{T}rand_augment", "2"],
    "affine": [f"{T}rotation_degrees", "10", f"{T}scale_range", "[0.9,1.1]"],
    "erasing": [f"{T}erasing_probability", "0.5"],
    "sam": [f"{OPT}sam_rho", "0.05"],
    "ema": ["--trainer", "ema"],
    "early_stopping": ["--trainer", "early_stopping"],
    "lr_finder": ["--trainer", "lr_finder"],
    "large_batch": ["--data.batch_size", "32"],
    REPEATS: ["--data.num_repeats", "2"],
    "lr_scaling": ["--data.batch_size", "32", f"{OPT}lr_scaling", "linear", f"{OPT}lr_batch", "8"],
}
BUILT_IN = FOR_ALL | {
    "reverse": [f"{T}reverse_probability", "0.5", f"{T}reverse_labels", f"{{{BACKWARDS}}}"],
    "flip": [f"{T}flip_probability", "0.5", f"{T}flip_label_swaps", f"{{{MIRRORED}}}"],
}
ALONE = "sit: sit, sleeping: sleeping, walk: walk"
REAL = FOR_ALL | {
    "reverse": [f"{T}reverse_probability", "0.5", f"{T}reverse_labels", f"{{sitdown: standup, {ALONE}}}"],
}
IMAGENET = {
    PLAIN: [],
    "lr_decay": ["--model.transfer.lr_decay", "0.8"],
    "drop_path": ["--model.transfer.drop_path", "0.4"],  # twice what the network itself has
    "gradient_checkpointing": ["--model.transfer.gradient_checkpointing", "true"],
    "label_smoothing": ["--model.loss.label_smoothing", "0.1"],
    "affine": FOR_ALL["affine"],
    "erasing": FOR_ALL["erasing"],
    "rand_augment": FOR_ALL["rand_augment"],
    "lr_finder": FOR_ALL["lr_finder"],
    REPEATS: FOR_ALL[REPEATS],
}


def words_of(options: object, folder: Path, fold: int | None, *, quick: bool) -> list[str]:
    """The plain training, of real clips on all folds but one."""
    data: Path | None = options.data  # type: ignore[attr-defined]
    last = ["--data.num_workers", "0", "--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false"]
    if data is not None:
        own = FOLDER / "whole_video"
        if options.imagenet:  # type: ignore[attr-defined]
            words = ["--config", "single_frame_imagenet", "--model.transfer.lr_decay", "1"]
            words += ["--model.loss.label_smoothing", "0"]
        else:
            words = ["--config", str(own / "late_fusion.yaml"), "--data", str(own / "data.yaml")]
        words += ["--data.dataset", "VideoCsv", "--data.dataset.path", str(data)]
        num_folds: int = options.num_folds  # type: ignore[attr-defined]
        return [*words, "--data.num_folds", str(num_folds), "--data.fold", str(fold), *last]
    small = ["--data.dataset.num_train", "8" if quick else "32", "--data.dataset.num_val", "8" if quick else "64"]
    small += ["--data.dataset.num_test", "8" if quick else "256", "--data.dataset.size_px", "32"]
    small += ["--data.dataset.root", str(folder / "shapes"), f"{T}resize_px", "32", f"{T}crop_px", "32"]
    return ["--config", "conv3d", "--data", "moving_shapes", *small, "--data.batch_size", "8", *last]


def trained(words: Sequence[str], run: Path) -> tuple[float, float]:
    """Mean class accuracy of the test, and the seconds of processor time of the training."""
    noted = run.with_name(f"{run.name}.json")
    if noted.is_file():
        before = json.loads(noted.read_text())
        if before["words"] != [*words]:
            raise SystemExit(
                f"{run}: was trained with other options: pass another --run, or remove it and {noted.name}"
            )
    else:
        started = time.process_time()
        with redirect_stdout(sys.stderr):
            status = vidcls(["fit", *words, "--run", str(run)])
            seconds = time.process_time() - started
            status = status or vidcls(["test", "--run", str(run), "--ckpt_path", "best"])
        if status:
            raise SystemExit(f"{run.name} failed")
        before = {"words": [*words], "seconds": seconds}
        noted.write_text(json.dumps(before))
    return 100 * read_summary(run)["table"]["model"]["mean_class_accuracy"], before["seconds"]


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--data", type=Path, help="csv file of real clips; default: built-in videos")
    arguments.add_argument("--imagenet", action="store_true", help="a network from ImageNet in place of a small one")
    arguments.add_argument("--recipes", nargs="+", help="beside the plain training; default: all")
    arguments.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments.add_argument("--num_folds", type=int, default=5, help="of real clips")
    arguments.add_argument("--folds", type=int, nargs="+", help="of these; default: all")
    arguments.add_argument("--max_epochs", type=int, help="default: 12 on real clips (6 from ImageNet), else 30")
    arguments.add_argument("--run", type=Path, help="where the runs are kept")
    options = arguments.parse_args()
    torch.set_num_threads(1)
    if options.imagenet and options.data is None:
        raise SystemExit("--imagenet is for real clips: pass --data CSV")
    recipes = (IMAGENET if options.imagenet else REAL) if options.data else BUILT_IN
    max_epochs = options.max_epochs or ((6 if options.imagenet else 12) if options.data else 30)
    names = options.recipes or [*recipes][1:]
    if unknown := [name for name in names if name not in recipes]:
        raise SystemExit(f"--recipes {unknown[0]}: use some of {', '.join([*recipes][1:])}")
    seeds, folds = options.seeds, options.folds or (list(range(options.num_folds)) if options.data else [None])
    if options.quick:
        names, seeds, max_epochs = names[:1], [0], 1
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in (PLAIN, *names)}
    with tempfile.TemporaryDirectory() as temporary:
        kept = options.run or Path(temporary)
        short = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "2"]  # imports count for no training
        trained([*words_of(options, kept, folds[0], quick=True), *short], Path(temporary) / "first")
        for seed in seeds:
            for fold in folds:
                for name, results in found.items():
                    words = words_of(options, kept, fold, quick=options.quick)
                    words += ["--seed_everything", str(seed), *recipes[name]]
                    epochs = max(1, max_epochs // 2) if name == REPEATS else max_epochs
                    run = kept / f"{name}_{seed}_{fold}"
                    results.append(trained([*words, "--trainer.max_epochs", str(epochs)], run))
                    print(f"{run.name}: {results[-1][0]:.1f} %", file=sys.stderr)
    rows: list[tuple[object, ...]] = []
    for name, results in found.items():
        accuracy = Measured([value for value, _ in results])
        gains = [value - plain for (value, _), (plain, _) in zip(results, found[PLAIN], strict=True)]
        times = [seconds / plain for (_, seconds), (_, plain) in zip(results, found[PLAIN], strict=True)]
        mean = sum(accuracy.values) / len(results)
        better = f"{sum(gain > 0 for gain in gains)} of {len(gains)}"
        rows.append((name, mean, accuracy.spread, sum(gains) / len(gains), better, sum(times) / len(times)))
    columns = ("recipe", "mean class accuracy %", "spread", "gain", "better in", "x processor time")
    report("What each recipe gives", columns, rows, options.output, details=found)


if __name__ == "__main__":
    main()

"""How far is an exported file from its checkpoint, how large is it, and how fast beside torch and torch.compile?

Runs are taken from a folder, such as that of `vidcls fit --config NAME` for each name; without one, an untrained
network stands for them. Each way to run a network has a process of its own, and they measure alternately.
Usage: python benchmarks/export.py [--quick] [--runs FOLDER ...] [--num_threads 1 2] [--precisions fp32] [--output FILE]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from lightning.pytorch import Trainer
from measuring import parser, report

from vidcls.datasets import MovingShapes
from vidcls.errors import VidclsError
from vidcls.export.export import NUM_CHECKED, Exported, export
from vidcls.export.parity import Precision
from vidcls.export.timing import WAYS, Timing, measure, thread_counts
from vidcls.loading import VideoDataModule
from vidcls.models import SingleFrame
from vidcls.runs.trained_model import checkpoint_of
from vidcls.transforms import TransformSettings

PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8")
COLUMNS = (
    "network", "file", "videos", "difference", "same answer", "accuracy", "of the file", "MB of weights", "MB of file",
)  # fmt: skip


def untrained(folder: Path) -> Path:
    """A checkpoint that takes no training."""
    torch.manual_seed(0)
    data = VideoDataModule(
        MovingShapes(root=folder / "shapes", num_train=8, num_val=8, num_test=8),
        transform=TransformSettings(resize_px=64, crop_px=64),
        num_workers=0,
    )
    model = SingleFrame(class_names=list(data.class_names), clip=data.clip, backbone="small")
    trainer = Trainer(logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu")
    trainer.test(model, data, verbose=False)
    trainer.save_checkpoint(folder / "untrained.ckpt")
    return folder / "untrained.ckpt"


def rows_of(
    name: str,
    checkpoint: Path,
    folder: Path,
    precisions: Sequence[Precision],
    counts: Sequence[int],
    most: int,
    *,
    rounds: int,
) -> Iterator[tuple[object, ...]]:
    """A row for each precision, and the dynamic batch and metadata checked with it."""
    for number, precision in enumerate(precisions):
        output = folder / f"{name}_{precision}.onnx"
        try:
            found = export(checkpoint, output, precision=precision, num_checked=most, is_forced=True, say=note)
        except VidclsError as error:
            note(f"{name} {precision}: {error}")
            yield (name, precision, *["-"] * (len(COLUMNS) - 2 + 3 * len(counts)))
            continue
        ways = WAYS if number == 0 else ("torch eager", "file")
        timings = measure(checkpoint, output, say=note, num_rounds=rounds, ways=ways, counts=counts) if rounds else []
        yield (*parity_cells(name, found), *(cell for num in counts for cell in cells(timings, num)))


def parity_cells(name: str, found: Exported) -> tuple[object, ...]:
    parity = found.parity
    before, after = ("-" if each is None else f"{each:.3f}" for each in (parity.accuracy_before, parity.accuracy_after))
    return (
        name,
        found.facts.precision,
        found.videos,
        f"{parity.largest_difference:.1e}",
        f"{100 * parity.agreement:.1f} %",
        before,
        after,
        f"{found.checkpoint_bytes / 1e6:.2f}",
        f"{found.num_bytes / 1e6:.2f}",
    )


def cells(timings: Sequence[Timing], num_threads: int) -> tuple[object, ...]:
    """Milliseconds of a clip in torch eager, and the others as its share, by the ratio of each round."""
    by_way = {timing.way: timing.milliseconds for timing in timings if timing.num_threads == num_threads}
    eager = by_way.get("torch eager", ())
    found: list[object] = [f"{statistics.median(eager):.2f}" if eager else "-"]
    for way in ("torch.compile", "file"):
        shares = [a / b for a, b in zip(by_way.get(way, ()), eager, strict=False)]
        found.append(f"{statistics.median(shares):.2f}" if shares else "-")
    return tuple(found)


def note(line: object) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--runs", nargs="+", type=Path, default=[], help="folders of runs, one for each network")
    arguments.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=PRECISIONS)
    arguments.add_argument(
        "--num_threads", nargs="*", type=int, default=thread_counts(), help="none: times are left out"
    )
    arguments.add_argument("--num_checked", type=int, default=NUM_CHECKED, help="test videos of a run at most")
    options = arguments.parse_args()
    counts = () if options.quick else options.num_threads
    torch.set_num_threads(1)
    precisions = ("fp32",) if options.quick else options.precisions
    rows: list[tuple[object, ...]] = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        networks = {run.name: checkpoint_of(run) for run in options.runs} or {"untrained": untrained(folder)}
        for name, checkpoint in networks.items():
            for row in rows_of(
                name, checkpoint, folder, precisions, counts, options.num_checked, rounds=5 if counts else 0
            ):
                note(row)
                rows.append(row)
    times = [
        f"{what}, {num} thread{'' if num == 1 else 's'}"
        for num in counts
        for what in ("eager ms", "torch.compile / eager", "file / eager")
    ]
    report("Exported files beside their checkpoints", (*COLUMNS, *times), rows, options.output)


if __name__ == "__main__":
    main()

"""How many training clips a second do long-GOP originals give, with 1, 2 and 4 clips from each video that is opened?

Clips of 16 frames, 4 apart, resized to a short side of 128 and cropped at random to 112x112, in batches of 8, as in
``loader.py``; the files are H.264 of 340x256 with a key frame every 250 frames. Each row once per round.
Usage: python benchmarks/repeats.py [--quick] [--workers 0 2] [--rounds 5] [--output FILE.json]
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import torch
from clips import training_batches, with_other_parts, write_originals
from measuring import paired, parser, ratio, report

from vidcls.datasets import VideoFolder

REPEATS = (1, 2, 4)


def clips_per_second(dataset: VideoFolder, num_repeats: int, workers: int, num_batches: int) -> Callable[[], float]:
    """Measures one loader, whose workers start before the first batch that counts."""

    def measure() -> float:
        batches = training_batches(dataset, workers=workers, num_repeats=num_repeats)
        next(batches)
        start = time.perf_counter()
        num_clips = sum(len(batch["label"]) for batch in islice(batches, num_batches))
        rate = num_clips / (time.perf_counter() - start)
        batches.close()
        return rate

    return measure


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--workers", type=int, nargs="+", default=[0, 2])
    arguments.add_argument("--rounds", type=int, default=5)
    options = arguments.parse_args()
    torch.set_num_threads(1)
    num_videos, num_frames, num_batches, rounds = (8, 80, 1, 1) if options.quick else (24, 300, 18, options.rounds)
    rows: list[tuple[object, ...]] = []
    details: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        paths = write_originals(folder / "originals", num_videos=num_videos, num_frames=num_frames)
        dataset = with_other_parts(folder / "originals", paths)
        for workers in options.workers[:1] if options.quick else options.workers:
            found = paired({str(r): clips_per_second(dataset, r, workers, num_batches) for r in REPEATS}, rounds=rounds)
            details[f"{workers} workers"] = {name: one.values for name, one in found.items()}
            rows += [(name, workers, one.median, one.spread, ratio(one, found["1"])) for name, one in found.items()]
    columns = ("clips of each video", "workers", "clips/s", "spread", "x 1 clip")
    report("Training clips a second by repeats", columns, rows, options.output, details=details)


if __name__ == "__main__":
    main()

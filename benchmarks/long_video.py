"""What memory does a video of three hours take, and how exact are the segments of one whose borders are known?

Memory is the peak of a whole ``vidcls predict`` process, over videos of 64x64 px and 25 frames per second that differ
in their length alone, once by frames and once with optical flow, whose fields overlapping windows share. The segments
are those of joined pieces of test scenes of ``MovingShapes`` of 2 to 8 s, by a network that was trained on the scenes
of its training split; the settings of ``--segments`` are the defaults, unless a row says otherwise, and nothing was
chosen on these videos. A segment counts as found where its class is right and its overlap with the true one, by union,
is large enough. The same windows by a classifier that is always right show what the rest of the way costs; so does a
network that was trained on eight times as many scenes. "Windows right" counts those that lie inside of one piece.
Usage: python benchmarks/long_video.py [--quick] [--output FILE.json]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import get_args

import numpy as np
from measuring import parser, report
from numpy.typing import NDArray

from vidcls.datasets.moving_scene import APPEARANCES, MOTIONS, make_scenes
from vidcls.predict import load
from vidcls.predict.prediction import Prediction
from vidcls.predict.segments import Segment, SegmentSettings, Smoothing, segments_of
from vidcls.video import write_video

FPS, SIZE_PX, SEED = 25, 64, 7
MINUTES, QUICK_MINUTES = (3.0, 30.0, 180.0), (0.1, 0.2)
WINDOW, HOP = 4.0, 2.0  # seconds, of the videos whose memory is measured
PIECE_WINDOW = 0.64  # seconds: the 16 frames of a clip of MovingShapes
HOPS, QUICK_HOPS = (0.08, 0.16, 0.32, 0.64), (0.32,)
OVERLAPS = (0.5, 0.9)
FEW = ["--trainer.limit_train_batches", "1", "--trainer.limit_val_batches", "1", "--trainer.max_epochs", "1"]
MORE_SCENES = ["--data.dataset.num_train", "6144"]
SMALL = ["--data.dataset.num_train", "64", "--data.dataset.num_val", "16", "--data.dataset.num_test", "16"]


@dataclass(frozen=True)
class Peak:
    """One run of the command."""

    minutes: float
    megabytes: float
    seconds: float
    windows: int


def main() -> None:
    arguments = parser(__doc__).parse_args()
    quick = arguments.quick
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frames_model = trained(folder / "late_fusion", "late_fusion", [*SMALL, *FEW] if quick else [])
        models = {"frames": frames_model}
        if not quick:
            models["frames and flow"] = trained(folder / "two_stream", "two_stream", [*SMALL, *FEW])
        rows: list[tuple[object, ...]] = []
        for minutes in QUICK_MINUTES if quick else MINUTES:
            video = folder / "long.mp4"
            write_video(video, wandering(round(minutes * 60 * FPS)), fps=FPS, quality=30, gop=50)
            for title, model in models.items():
                peak = predicted(model, video, minutes, folder)
                rows.append((f"{minutes:g} min", title, peak.windows, peak.megabytes, peak.seconds))
        joined, truth = folder / "joined.mp4", list[Segment]()
        write_video(joined, pieces(4 if quick else 60, truth), fps=FPS, quality=0)
        networks = {"as configured": frames_model}
        if not quick:
            networks["more scenes"] = trained(folder / "more_scenes", "late_fusion", MORE_SCENES)
        exactness: list[tuple[object, ...]] = []
        for hop in QUICK_HOPS if quick else HOPS:
            timelines = {
                title: load(model, device="cpu").timeline(joined, PIECE_WINDOW, hop)
                for title, model in networks.items()
            }
            timelines["always right"] = [always_right(each, truth) for each in timelines["as configured"]]
            for title, timeline in timelines.items():
                exactness += exact_rows(title, timeline, truth, hop)
    columns = ("video", "network sees", "windows", "peak MB", "s")
    report("Memory by length", columns, rows, None)
    headings = (
        "network",
        "hop",
        "windows right",
        "smoothing",
        "segments",
        "border error s",
        "95 %",
        "F1 at .5",
        "F1 at .9",
    )
    details = {"memory": rows, "true segments": len(truth), "window_seconds": PIECE_WINDOW}
    report(f"Segments of {len(truth)} joined pieces", headings, exactness, arguments.output, details=details)


def trained(run: Path, config: str, more: Sequence[str]) -> Path:
    """The best checkpoint of a training on ``MovingShapes``."""
    command = ["fit", "--config", config, "--run", str(run), "--trainer.accelerator", "cpu", "--data.num_workers", "0"]
    subprocess.run([sys.executable, "-m", "vidcls", *command, *more], check=True, capture_output=True)
    return next(run.rglob("best.ckpt"))


def predicted(model: Path, video: Path, minutes: float, folder: Path) -> Peak:
    """The command in a process of its own."""
    output = folder / "scores.csv"
    words = ["predict", model, video, "--window_seconds", WINDOW, "--hop_seconds", HOP, "--device", "cpu"]
    words += ["--segments", folder / "segments.csv", "--output", output]
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "vidcls", *map(str, words)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    with output.open() as file:
        num_windows = sum(1 for _ in file) - 1
    return Peak(minutes, usage.ru_maxrss / 1024, seconds, num_windows)


def wandering(num_frames: int) -> Iterator[NDArray[np.uint8]]:
    """A texture that moves, ``(3, H, W)`` each."""
    picture = np.random.default_rng(SEED).integers(0, 255, (3, 8, 8), dtype=np.uint8).repeat(8, 1).repeat(8, 2)
    for number in range(num_frames):
        yield np.roll(picture, number, axis=2)


def pieces(num_pieces: int, truth: list[Segment]) -> Iterator[NDArray[np.uint8]]:
    """Pieces of scenes of the test split, of one class each and unlike the one before; ``truth`` is told of them."""
    generator = np.random.default_rng(SEED)
    scenes = make_scenes(num_pieces, size_px=SIZE_PX, seed=(0, 2))
    done, before = 0, ""
    for scene in scenes:
        label = before
        while label == before:
            appearance, motion = str(generator.choice([*APPEARANCES])), str(generator.choice([*MOTIONS]))
            label = f"{appearance}_{motion}"
        num_frames = int(generator.integers(2 * FPS, 8 * FPS))
        yield from scene.frames(appearance, motion, num_frames)
        truth.append(Segment(done / FPS, (done + num_frames) / FPS, label, 1.0))
        done, before = done + num_frames, label


def always_right(window: Prediction, truth: Sequence[Segment]) -> Prediction:
    """The window with the shares of its time that each class has as its scores."""
    start, end = window.start_seconds, window.end_seconds
    shared = dict.fromkeys(window.class_names, 0.0)
    for piece in truth:
        shared[piece.label] += max(0.0, min(end, piece.end) - max(start, piece.start)) / (end - start)
    return replace(window, scores=tuple(shared.values()))


def exact_rows(
    title: str, timeline: Sequence[Prediction], truth: Sequence[Segment], hop: float
) -> list[tuple[object, ...]]:
    """By smoothing the number of segments, the error of their borders in seconds, and F1 by overlap."""
    inside = [(w, t) for w in timeline for t in truth if t.start <= w.start_seconds and w.end_seconds <= t.end]
    right = fmean(window.top(1)[0][0] == piece.label for window, piece in inside)
    rows: list[tuple[object, ...]] = []
    for smoothing in get_args(Smoothing):
        settings = SegmentSettings(smoothing, shortest_seconds=PIECE_WINDOW / 2)
        found = measured(segments_of(timeline, settings), truth)
        rows.append((title, f"{hop:g} s", round(right, 3), smoothing, *found))
    return rows


def measured(found: Sequence[Segment], truth: Sequence[Segment]) -> tuple[object, ...]:
    """Number of segments, mean and 95th percentile of the error of their borders in seconds, F1 by overlap."""
    pairs = matched(found, truth, OVERLAPS[0])
    errors = [abs(a - b) for f, t in pairs for a, b in ((f.start, t.start), (f.end, t.end))]
    scores = [2 * len(matched(found, truth, overlap)) / (len(found) + len(truth)) for overlap in OVERLAPS]
    mean, high = (fmean(errors), float(np.percentile(errors, 95))) if errors else (float("nan"), float("nan"))
    return len(found), round(mean, 3), round(high, 3), *(round(score, 3) for score in scores)


def matched(found: Sequence[Segment], truth: Sequence[Segment], overlap: float) -> list[tuple[Segment, Segment]]:
    """Pairs of one class that overlap so much; at 0.5 and above, each has at most one."""

    def share(a: Segment, b: Segment) -> float:
        shared = min(a.end, b.end) - max(a.start, b.start)
        return max(shared, 0.0) / (max(a.end, b.end) - min(a.start, b.start))

    return [(f, t) for f in found for t in truth if f.label == t.label and share(f, t) >= overlap]


if __name__ == "__main__":
    main()

"""How many clips a second does the loader give: ours, PyTorchVideo's, and plain loops over decord and torchcodec?

Training clips of 16 frames, 4 apart, resized to a short side of 128 and cropped at random to 112x112, in batches of 8.
All see the same files, sizes, batches and workers. PyTorchVideo decodes with PyAV, as it does by itself. The last row
is what all of them stand on: FFmpeg's decoding of the same frames, and nothing else. The files are H.264 of 340x256
with a key frame every 250 frames, so that most of the work is to decode what lies between a key frame and the clip;
and, where VIDCLS_REAL_DATA has them, real clips of 192x144 as a camera gave them.
Usage: python benchmarks/loader.py [--quick] [--workers 0 2] [--rounds 5] [--output FILE.json]
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any
from unittest import mock

import av
import torch
from clips import BATCH, CLIP_LEN, STRIDE, real_data, training_batches, with_other_parts, write_originals
from measuring import Measured, paired, parser, ratio, report
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset
from torchvision.transforms import v2

from vidcls.clips import reader as clip_reader
from vidcls.copies.preparation import prepare
from vidcls.copies.prepared_folder import PrepareSettings
from vidcls.datasets import VideoCsv, VideoFolder
from vidcls.jobs import local_pool
from vidcls.video import Video, open_video
from vidcls.video.reader import Backend

BASE = "ours, originals (default: decord)"
PEER = "PyTorchVideo, LabeledVideoDataset"
SPAN = (CLIP_LEN - 1) * STRIDE + 1
TRANSFORM = v2.Compose([v2.Resize(128, antialias=True), v2.RandomCrop(112), v2.RandomHorizontalFlip()])


def ours(dataset: VideoFolder | VideoCsv, decoder: Backend | None, workers: int) -> Callable[[], Iterator[object]]:
    return partial(training_batches, dataset, workers=workers, decoder=decoder)


class PlainLoop(Dataset[tuple[Tensor, int]]):
    """What a user writes in ten lines: open, choose frames, read, transform."""

    def __init__(self, paths: list[Path], read: Callable[[str, int], Tensor]) -> None:
        self.paths, self.read = paths, read

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        frames = self.read(str(self.paths[index]), index)
        return TRANSFORM(frames).transpose(0, 1).contiguous(), index % 2


def read_decord(path: str, _: int) -> Tensor:
    import decord

    reader = decord.VideoReader(path, num_threads=1)
    start = random.randrange(len(reader) - SPAN + 1)
    batch = reader.get_batch(range(start, start + SPAN, STRIDE)).asnumpy()
    return torch.from_numpy(batch).permute(0, 3, 1, 2)


def read_torchcodec(path: str, _: int) -> Tensor:
    from torchcodec.decoders import VideoDecoder

    decoder = VideoDecoder(path, num_ffmpeg_threads=1)
    start = random.randrange(len(decoder) - SPAN + 1)
    return decoder.get_frames_at(indices=list(range(start, start + SPAN, STRIDE))).data


def plain(dataset: Dataset[Any], workers: int) -> Callable[[], Iterator[object]]:
    def batches() -> Iterator[object]:
        loader = DataLoader(dataset, BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
        for _ in range(10**6):
            yield from loader

    return batches


class EndlessVideos(IterableDataset[tuple[Tensor, int]]):
    """PyTorchVideo's data set, started again at its end; subsampled and transformed as the others."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths
        with open_video(paths[0]) as video:
            self.fps = video.fps

    def __iter__(self) -> Iterator[tuple[Tensor, int]]:
        from pytorchvideo.data import LabeledVideoDataset, make_clip_sampler

        labelled = [(str(path), {"label": k % 2}) for k, path in enumerate(self.paths)]
        while True:
            videos = LabeledVideoDataset(
                labelled,
                make_clip_sampler("random", SPAN / self.fps),
                torch.utils.data.RandomSampler,
                decode_audio=False,
            )
            for sample in videos:
                frames = sample["video"]  # (3, T, H, W) float32
                chosen = torch.linspace(0, frames.shape[1] - 1, CLIP_LEN).long()
                clip = TRANSFORM(frames[:, chosen].transpose(0, 1).to(torch.uint8))
                yield clip.transpose(0, 1).contiguous(), sample["label"]


class DecodingAlone(Dataset[int]):
    """What no loader of original files can do without: FFmpeg's decoding from the key frame to the clip's last frame.

    Into the codec's own planes, without a single picture in RGB; nothing is resized, cropped or handed on.
    """

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> int:
        with av.open(str(self.paths[index])) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            assert stream.average_rate is not None
            assert stream.time_base is not None
            ticks = 1 / (stream.average_rate * stream.time_base)
            start = random.randrange(stream.frames - SPAN + 1)
            container.seek(int(start * ticks), stream=stream)
            last = int((start + SPAN - 1) * ticks)
            for frame in container.decode(stream):
                if frame.pts is not None and frame.pts >= last:
                    break
        return index


def pytorchvideo(paths: list[Path], workers: int) -> Callable[[], Iterator[object]]:
    def batches() -> Iterator[object]:
        yield from DataLoader(EndlessVideos(paths), BATCH, num_workers=workers)

    return batches


class Stream:
    """Clips a second of an endless stream of batches, whose workers keep running between two rounds."""

    def __init__(self, batches: Callable[[], Iterator[object]], num_batches: int) -> None:
        self.make, self.num_batches = batches, num_batches
        self.running: Iterator[object] | None = None

    def measure(self) -> float:
        self.running = self.make()
        for _ in islice(self.running, 1):  # workers and caches are there
            pass
        start = time.perf_counter()
        for _ in islice(self.running, self.num_batches):
            pass
        rate = self.num_batches * BATCH / (time.perf_counter() - start)
        self.running = None  # ends the workers, which would take time from the others
        return rate


def own_share(dataset: VideoFolder, num_clips: int) -> float:
    """The share of the time of our loader, in one process, that is not opening, seeking and decoding."""
    decoding = 0.0

    def timed(call: Callable[..., object]) -> Callable[..., object]:
        def run(*args: object, **kwargs: object) -> object:
            nonlocal decoding
            start = time.perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                decoding += time.perf_counter() - start

        return run

    stream = ours(dataset, None, 0)()
    next(stream)
    with (
        mock.patch.object(clip_reader, "open_video", timed(open_video)),
        mock.patch.object(Video, "frames", timed(Video.frames)),
        mock.patch.object(Video, "close", timed(Video.close)),
    ):
        decoding, start = 0.0, time.perf_counter()
        for _ in islice(stream, num_clips // BATCH):
            pass
        total = time.perf_counter() - start
    return 1 - decoding / total


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--workers", type=int, nargs="+", default=[0, 2])
    arguments.add_argument("--rounds", type=int, default=5)
    options = arguments.parse_args()
    torch.set_num_threads(1)
    num_videos, num_frames, num_batches, rounds = (8, 80, 1, 1) if options.quick else (24, 300, 12, options.rounds)
    rows: list[tuple[object, ...]] = []
    details: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        paths = write_originals(folder / "originals", num_videos=num_videos, num_frames=num_frames)
        datasets = {"340x256, GOP 250": with_other_parts(folder / "originals", paths)}
        if (real := real_data()) is not None:
            link_camera_files(real / "fall_overhead", folder / "camera", most=4 if options.quick else 64)
            datasets["camera, 192x144"] = VideoFolder(folder / "camera")
        for files, dataset in datasets.items():
            share = own_share(dataset, BATCH if options.quick else 96)  # before there are other processes
            details[f"{files}: own work"] = share
            print(f"{files}: our own work (index, transforms, collation), one process: {100 * share:.1f} % of the time")
            small = copies(dataset, folder / files.replace(" ", "_"))
            for workers in options.workers[:1] if options.quick else options.workers:
                found = measured(dataset, small, workers, num_batches=num_batches, rounds=rounds)
                details[f"{files}, {workers} workers"] = {name: one.values for name, one in found.items()}
                rows += table(found, files, workers)
    columns = ("loader", "files", "workers", "clips/s", "spread", "x PyTorchVideo", "x ours from originals")
    report("Training clips a second by loader", columns, rows, options.output, details=details)


def link_camera_files(source: Path, root: Path, *, most: int) -> None:
    """Files that hold a whole clip, as train, and two for each of the other splits."""
    found: list[Path] = []
    for path in sorted(source.glob("*/*.mp4")):
        with open_video(path) as video:
            if video.num_frames >= SPAN + 4:
                found.append(path)
    chosen = found[:: max(1, len(found) // most)][:most]
    for number, path in enumerate(chosen):
        parts = ("train", "val", "test") if number < 2 else ("train",)
        for part in parts:
            place = root / part / ("one", "two")[number % 2] / path.name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())


def copies(dataset: VideoFolder, folder: Path) -> dict[int, VideoCsv]:
    found: dict[int, VideoCsv] = {}
    for side in (128, 256):
        done = prepare(dataset.records, folder / str(side), PrepareSettings(side), pool=local_pool(0))
        before, after = (
            sum(sizes) for sizes in zip(*((v.source_bytes, v.num_bytes) for v in done.videos), strict=True)
        )
        least = min(video.psnr_db for video in done.videos)
        print(f"{folder.name}, copy at {side}: PSNR at least {least:.1f} dB, {after / before:.2f} x the bytes")
        found[side] = VideoCsv(folder / str(side) / "clips.csv")
    return found


def measured(
    dataset: VideoFolder, small: dict[int, VideoCsv], workers: int, *, num_batches: int, rounds: int
) -> dict[str, Measured]:
    paths = [record.path for record in dataset.split("train")]
    loaders = {
        BASE: ours(dataset, None, workers),
        "ours, originals, torchcodec": ours(dataset, "torchcodec", workers),
        "ours, prepared, short side 128": ours(small[128], None, workers),
        "ours, prepared, short side 256": ours(small[256], None, workers),
        "plain decord loop": plain(PlainLoop(paths, read_decord), workers),
        "plain torchcodec loop": plain(PlainLoop(paths, read_torchcodec), workers),
        "decoding alone, no loader": plain(DecodingAlone(paths), workers),
    }
    if has("pytorchvideo"):
        loaders[PEER] = pytorchvideo(paths, workers)
    if not has("torchcodec"):
        loaders = {name: loader for name, loader in loaders.items() if "torchcodec" not in name}
    return paired({name: Stream(batches, num_batches).measure for name, batches in loaders.items()}, rounds=rounds)


def table(found: dict[str, Measured], files: str, workers: int) -> list[tuple[object, ...]]:
    peer, base = found.get(PEER), found[BASE]
    return [
        (name, files, workers, one.median, one.spread, ratio(one, peer) if peer else "-", ratio(one, base))
        for name, one in found.items()
    ]


def has(package: str) -> bool:
    try:
        __import__(package)
    except ImportError:
        print(f"{package} is not installed: its rows are left out")
        return False
    return True


if __name__ == "__main__":
    main()

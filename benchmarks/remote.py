"""How fast are videos of an S3 server beside those of a disk, and what does a listing of a million keys take?

The server (moto) runs on this machine, so that the rows say what requests, the cache and the copying cost, and nothing
of a network: add its time to `fetched` for each video, and one answer to `kept`. The keys are listed from a server that
makes them up, a thousand in each answer.
Usage: python benchmarks/remote.py [--quick] [--workers 2] [--rounds 3] [--keys 1000000] [--output FILE.json]
"""

from __future__ import annotations

import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from clips import with_other_parts, write_originals
from measuring import Measured, paired, parser, ratio, report

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "shared"))

from object_servers import BUCKET, KEYS, ListingServer, S3Server, closing_server, put_folder

from vidcls import allow_remote
from vidcls.datasets import VideoFolder
from vidcls.loading import VideoDataModule
from vidcls.remote import listed
from vidcls.transforms import TransformSettings

HERE, FETCHED, KEPT = "a disk", "S3, each video fetched", "S3, videos in the cache"


def epoch_seconds(root: str, workers: int, before: Callable[[], object]) -> float:
    """The time of one epoch over the training videos."""
    before()
    transform = TransformSettings(resize_px=128, crop_px=112)
    dataset = VideoFolder(root)
    data = VideoDataModule(dataset, clip_len=16, stride=4, transform=transform, batch_size=8, num_workers=workers)
    loader = data.train_dataloader()
    loader.set_epoch(0)
    start = time.perf_counter()
    num_clips = sum(len(batch["label"]) for batch in loader)
    return num_clips / (time.perf_counter() - start)


def listing(num_keys: int) -> tuple[float, float]:
    """Seconds and megabytes of listing so many keys, by a process of its own."""
    allow_remote("s3")
    server = ListingServer(num_keys)
    os.environ.update(KEYS, AWS_ENDPOINT_URL=server.url)
    assert next(listed("s3://videos/all")).name == "class_0000/video_00000000.mp4"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    assert sum(1 for _ in listed("s3://videos/all")) == num_keys
    seconds = time.perf_counter() - start
    server.close()
    return seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--workers", type=int, default=2)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--keys", type=int, default=1_000_000)
    options = arguments.parse_args()
    num_videos, num_frames, rounds = (8, 40, 1) if options.quick else (64, 250, options.rounds)
    allow_remote("s3")
    num_keys = 10_000 if options.quick else options.keys
    with ProcessPoolExecutor(1, get_context("spawn")) as alone:
        seconds, megabytes = alone.submit(listing, num_keys).result()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = f"{folder}/cache"
        root = Path(folder) / "videos"
        with_other_parts(root, write_originals(root, num_videos=num_videos, num_frames=num_frames))
        num_bytes = sum(path.stat().st_size for path in root.rglob("*.mp4")) / (num_videos + 4)
        server = S3Server()
        with closing_server(server):
            os.environ.update(server.environment, AWS_ENDPOINT_URL=f"http://127.0.0.1:{server.port}")
            address = put_folder(root, f"s3://{BUCKET}/clips")

            def empty() -> None:
                shutil.rmtree(f"{folder}/cache", ignore_errors=True)

            measured: dict[str, Measured] = paired(
                {
                    HERE: lambda: epoch_seconds(str(root), options.workers, int),
                    FETCHED: lambda: epoch_seconds(address, options.workers, empty),
                    KEPT: lambda: epoch_seconds(address, options.workers, int),
                },
                rounds=rounds,
            )
    rows: list[tuple[object, ...]] = [
        (name, found.median, found.spread, ratio(found, measured[HERE])) for name, found in measured.items()
    ]
    rows.append((f"listing {num_keys:,} keys: seconds", seconds, "", ""))
    rows.append((f"listing {num_keys:,} keys: MB more", megabytes, "", ""))
    title = f"Clips per second of 16 frames by {options.workers} workers, videos of {num_bytes / 1000:.0f} kB"
    report(title, ("videos of", "clips/s", "spread", "share of a disk"), rows, options.output)


if __name__ == "__main__":
    main()

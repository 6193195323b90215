"""What does keeping features cost beside a plain loop over the same decoder and network?

EfficientNet-Lite0, 16 frames of a video at 144x192 and their mirror image, the last maps averaged to 2x3 places. The
plain loops keep their results in memory; ours writes a file for each video. Rounds alternate.
Usage: python benchmarks/features.py [--videos N] [--rounds N] [--cpu-time] [--quick] [--output FILE.json]
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from clips import real_data, write_originals
from decord import VideoReader
from measuring import paired, parser, ratio, report
from torch import Tensor
from torch.nn import functional as F

from vidcls.clips import InputSettings
from vidcls.datasets import VideoCsv
from vidcls.errors import MissingExtraError
from vidcls.features import FeatureKey, FeatureStore, compute_features
from vidcls.jobs import InThisProcess, LocalProcesses
from vidcls.layers import build_backbone
from vidcls.layers.token_encoder import TokenEncoder
from vidcls.transforms import TransformSettings
from vidcls.types import ClipSettings, VideoRecord, as_streams
from vidcls.video import LocalFile

NUM_FRAMES, SIZE, GRID, FRAMES_AT_ONCE = 16, (144, 192), (2, 3), 8
MEAN_STD = ((127 / 255,) * 3, (128 / 255,) * 3)
SETTINGS = InputSettings(
    streams=as_streams(["rgb"]),
    clip=ClipSettings(num_snippets=NUM_FRAMES, clip_len=1),
    transform=TransformSettings(
        resize_px=min(SIZE), crop_px=SIZE, test_crops=2, rgb_mean=MEAN_STD[0], rgb_std=MEAN_STD[1]
    ),
)


def make_encoder() -> TokenEncoder:
    try:
        backbone = build_backbone("efficientnet_lite0", weights="DEFAULT")
    except MissingExtraError:
        torch.manual_seed(0)
        backbone = build_backbone("efficientnet_lite0")
    return TokenEncoder(backbone.eval(), ("head",), GRID, NUM_FRAMES)


def plain_loop(records: list[VideoRecord], *, frames_at_once: int, channels_last: bool) -> list[Tensor]:
    """What one would write for the purpose."""
    network, found = make_encoder().backbone, []
    with torch.inference_mode():
        for record in records:
            video = VideoReader(str(record.path), num_threads=1)
            places = ((torch.arange(NUM_FRAMES) + 0.5) * len(video) / NUM_FRAMES).long().tolist()
            frames = torch.from_numpy(video.get_batch(places).asnumpy()).permute(0, 3, 1, 2)
            resized = F.interpolate(frames.float(), SIZE, mode="bilinear", antialias=True)
            x = (resized - 127) / 128
            tokens = []
            for some in torch.cat([x, x.flip(-1)]).split(frames_at_once):
                if channels_last:
                    some = some.contiguous(memory_format=torch.channels_last)
                maps = network.maps(some)
                cells = F.adaptive_avg_pool2d(maps, GRID).flatten(2)
                tokens.append(torch.cat([maps.mean(dim=(2, 3))[..., None], cells], dim=2).transpose(1, 2).half())
            found.append(torch.cat(tokens))
    return found


def ours(records: list[VideoRecord], key: FeatureKey, num_workers: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pool = LocalProcesses(num_workers) if num_workers else InThisProcess()
        arguments = {"pool": pool, "tell": lambda _line: None}
        found = compute_features(records, FeatureStore(folder, key), make_encoder, SETTINGS, **arguments)
        assert found.num_done == len(records), found.failures


def seconds(job: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    job()
    return clock() - start


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--videos", type=int, default=24)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--cpu-time", action="store_true", help="of this process, for a busy machine")
    options = options.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        real = real_data()
        if real is not None:
            records = VideoCsv(real / "fall_overhead" / "clips.csv").split("train")
            records = records[:: max(1, len(records) // options.videos)][: options.videos]
        else:
            paths = write_originals(Path(folder), num_videos=4, num_frames=60)
            records = [VideoRecord(LocalFile(path), path.parent.name, "train", path.name) for path in paths]
        if options.quick:
            records = records[:2]
        key = FeatureKey.of(make_encoder(), SETTINGS, backbone="efficientnet_lite0")
        rows: dict[str, Callable[[], object]] = {
            "plain loop": partial(plain_loop, records, frames_at_once=2 * NUM_FRAMES, channels_last=False),
            f"plain loop, {FRAMES_AT_ONCE} frames at once, channels last": partial(
                plain_loop, records, frames_at_once=FRAMES_AT_ONCE, channels_last=True
            ),
            "ours, in this process": partial(ours, records, key, 0),
            "ours, 1 process": partial(ours, records, key, 1),
            "ours, 2 processes": partial(ours, records, key, 2),
        }
        if options.cpu_time:
            rows = {name: job for name, job in rows.items() if "process" not in name.replace("this process", "")}
        elif options.quick:
            rows.pop("ours, 1 process")
        clock = time.process_time if options.cpu_time else time.perf_counter
        rounds = 1 if options.quick else options.rounds
        found = paired({name: partial(seconds, job, clock) for name, job in rows.items()}, rounds=rounds)
    plain, tuned = list(found.values())[:2]
    report(
        f"Features of {len(records)} videos",
        ("what", "videos/s", "seconds", "spread", "time / plain loop", "time / plain loop with our batches"),
        [
            (name, len(records) / one.median, one.median, one.spread, ratio(one, plain), ratio(one, tuned))
            for name, one in found.items()
        ],
        options.output,
        details={name: one.values for name, one in found.items()},
    )


if __name__ == "__main__":
    main()

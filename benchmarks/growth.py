"""How does the cost grow: setting up 1k to 300k videos, and the memory of a worker over 20,000 opened files?

The files of the large data sets are empty and are not opened. Memory is that of a process of its own, without what
Python and torch take before.
Usage: python benchmarks/growth.py [--quick] [--opens 20000] [--output FILE.json]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from clips import write_originals
from measuring import parser, report

SET_UP = """
import json, resource, sys, time
from vidcls.loading import VideoDataModule
from vidcls.datasets import VideoCsv
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
data = VideoDataModule(VideoCsv(sys.argv[1]), num_workers=0)
data.train_dataloader()
seconds = time.perf_counter() - start
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"videos": len(data.records), "seconds": seconds, "megabytes": (after - before) / 1024}))
"""
OPENS = """
import json, sys, torch
from pathlib import Path
from vidcls.loading.clip_dataset import ClipKey, TrainClips
from vidcls.clips.reader import ClipReader
from vidcls.clips.settings import InputSettings
from vidcls.tasks import SingleLabel
from vidcls.transforms import TransformSettings
from vidcls.types import ClipSettings, VideoRecord
from vidcls.video import LocalFile
torch.set_num_threads(1)
decoder, num_opens, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 2**20
paths = sorted(path for path in folder.rglob("*") if path.is_file())
records = [VideoRecord(LocalFile(path), "a", "train", path.name) for path in paths]
clip, transform = ClipSettings(clip_len=2, stride=2), TransformSettings(64, 56)
settings = InputSettings(("rgb",), clip, transform=transform, decoder=decoder)
clips = TrainClips(records, SingleLabel(["a"]), ClipReader(settings))
at, sizes = max(1, num_opens // 20), []
for number in range(num_opens):
    clips[ClipKey(0, number, number % len(records))]
    if (number + 1) % at == 0:
        sizes.append(resident())
print(json.dumps({"sizes": sizes}))
"""


def run(program: str, *words: str) -> dict[str, object]:
    done = subprocess.run([sys.executable, "-c", program, *words], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def write_csv(folder: Path, num_videos: int) -> Path:
    """A csv of so many videos in 400 classes, whose files are there and empty."""
    lines = ["path,label,split,group"]
    for number in range(num_videos):
        name = f"class{number % 400:03}/{number:06}.mp4"
        path = folder / name
        if number < 400:
            path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT))
        part = ("train", "train", "train", "val", "test")[number // 400 % 5]
        lines.append(f"{name},class{number % 400:03},{part},{part}{number // 10}")
    table = folder / "clips.csv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--opens", type=int, default=20_000)
    options = arguments.parse_args()
    rows: list[tuple[object, ...]] = []
    details: dict[str, object] = {}
    for num_videos in (2000,) if options.quick else (2000, 10_000, 100_000, 300_000):
        with tempfile.TemporaryDirectory() as folder:
            found = run(SET_UP, str(write_csv(Path(folder), num_videos)))
        details[f"{num_videos} videos"] = found
        rows.append((f"set up {num_videos:,} videos of a csv", found["seconds"], found["megabytes"], "-"))
    num_opens = 40 if options.quick else options.opens
    with tempfile.TemporaryDirectory() as folder:
        from vidcls.video import open_video, write_video

        originals, copies = Path(folder, "originals"), Path(folder, "copies")
        for path in write_originals(originals, num_videos=8, num_frames=16):
            with open_video(path) as video:
                write_video(copies / f"{path.stem}.jpeg.avi", video.frames(range(16)), codec="mjpeg")
        for decoder, files in (("decord", originals), ("torchcodec", originals), ("pyav", originals), ("jpeg", copies)):
            try:
                sizes = run(OPENS, decoder, str(num_opens), str(files))["sizes"]
            except subprocess.CalledProcessError as error:
                print(f"{decoder}: {error.stderr.splitlines()[-1]}")
                continue
            assert isinstance(sizes, list)
            half = len(sizes) // 2
            growth = sizes[-1] / sizes[half] - 1
            details[decoder] = sizes
            rows.append((f"{num_opens:,} files opened by {decoder}", "-", sizes[-1], f"{100 * growth:+.1f} %"))
    columns = ("what", "seconds", "MiB", "growth over the second half")
    report("How the cost grows", columns, rows, options.output, details=details)


if __name__ == "__main__":
    main()

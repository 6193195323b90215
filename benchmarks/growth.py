"""How does the cost grow: setting up 2k to 10M videos, the index in a worker, and a worker over 20,000 opened files?

The files of the large data sets are there, 1,000 in a folder, and are not opened: they are empty, and from the second
folder on links to the file of another, 60,000 to each. Setting up includes looking for each of them. Memory is that of
a process of its own, without what Python and torch take before. ``--videos`` takes some of the sizes alone; ten million
take some ten minutes, and 1 GB of a disk.
Usage: python benchmarks/growth.py [--quick] [--videos N ...] [--opens 20000] [--output FILE.json]
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
import json, os, resource, sys, time
from vidcls.loading import VideoDataModule
from vidcls.datasets import VideoCsv
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start, cpu = time.perf_counter(), time.process_time()
data = VideoDataModule(VideoCsv(sys.argv[1]), num_workers=0)
loader = data.train_dataloader()
seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
facts = {"videos": len(data.records), "seconds": seconds, "cpu": cpu, "megabytes": (after - before) / 1024}
clips, at_most = loader.dataset, 1_000_000  # and in a process of a loader: what an epoch makes its own
def private():
    with open("/proc/self/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Private_Dirty")) * 1024
reading, writing = os.pipe()
if os.fork() == 0:
    import gc, torch
    gc.disable()  # it writes to all objects of the process, whatever the number of videos
    clips.path_of(0)
    order = torch.randperm(len(clips.records))[:at_most].numpy()
    own, half = 0, len(order) // 2
    for number, at in enumerate(order.tolist()):
        if number == half:  # until here Python's table of the parts of paths was copied once, some tens of MB
            own = private()
        record = clips.records[at]
        clips.task.target(record.classes)
    os.write(writing, str((private() - own) / (len(order) - half)).encode())
    os._exit(0)
facts["own_bytes"] = float(os.read(reading, 100))
os.wait()
print(json.dumps(facts))
"""
IN_FOLDER = 1000
PARQUET_FROM = 1_000_000  # videos
LINKS = 60  # folders whose files are links to one file; a file system allows 65,000 in all
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
    table, first = folder / "clips.csv", ""
    with table.open("w", encoding="utf-8") as file:
        file.write("path,label,split,group\n")
        for number in range(-(-num_videos // IN_FOLDER)):
            label = f"class{number % 400:03}"
            inside = f"{label}/{number:05}"
            (folder / inside).mkdir(parents=True)
            for video in range(number * IN_FOLDER, min((number + 1) * IN_FOLDER, num_videos)):
                name = f"{inside}/{video:08}.mp4"
                if first and video % (LINKS * IN_FOLDER):
                    os.link(first, f"{folder}/{name}")
                else:
                    first = f"{folder}/{name}"
                    os.close(os.open(first, os.O_CREAT))
                part = ("train", "train", "train", "val", "test")[video // 10 % 5]
                file.write(f"{name},{label},{part},{part}{video // 10}\n")
    return table


def write_parquet(table: Path) -> Path:
    """The same list as Parquet."""
    from pyarrow import csv, parquet

    place = table.with_suffix(".parquet")
    with csv.open_csv(table) as rows, parquet.ParquetWriter(place, rows.schema) as writer:
        for batch in rows:
            writer.write_batch(batch)
    return place


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--opens", type=int, default=20_000, help="files to open; 0 for none")
    arguments.add_argument(
        "--videos", type=int, nargs="*", default=[2000, 10_000, 100_000, 300_000, 1_000_000, 10_000_000]
    )
    options = arguments.parse_args()
    rows: list[tuple[object, ...]] = []
    details: dict[str, object] = {}
    for num_videos in (2000,) if options.quick else options.videos:
        with tempfile.TemporaryDirectory() as folder:
            table = write_csv(Path(folder), num_videos)
            lists = {"csv": table, "Parquet": write_parquet(table)} if num_videos >= PARQUET_FROM else {"csv": table}
            for kind, file in lists.items():
                found = run(SET_UP, str(file))
                details[f"{num_videos} videos, {kind}"] = found
                taken = (found["seconds"], found["cpu"], found["megabytes"], found["own_bytes"])
                rows.append((f"set up {num_videos:,} videos of a {kind}", *taken, "-"))
    num_opens = 40 if options.quick else options.opens
    with tempfile.TemporaryDirectory() as folder:
        from vidcls.video import open_video, write_video

        originals, copies = Path(folder, "originals"), Path(folder, "copies")
        for path in write_originals(originals, num_videos=8, num_frames=16):
            with open_video(path) as video:
                write_video(copies / f"{path.stem}.jpeg.avi", video.frames(range(16)), codec="mjpeg")
        decoders = (("decord", originals), ("torchcodec", originals), ("pyav", originals), ("jpeg", copies))
        for decoder, files in decoders if num_opens else ():
            try:
                sizes = run(OPENS, decoder, str(num_opens), str(files))["sizes"]
            except subprocess.CalledProcessError as error:
                print(f"{decoder}: {error.stderr.splitlines()[-1]}")
                continue
            assert isinstance(sizes, list)
            half = len(sizes) // 2
            growth = sizes[-1] / sizes[half] - 1
            details[decoder] = sizes
            rows.append(
                (f"{num_opens:,} files opened by {decoder}", "-", "-", sizes[-1], "-", f"{100 * growth:+.1f} %")
            )
    columns = ("what", "seconds", "CPU seconds", "MiB", "own bytes a record of a worker", "growth over the second half")
    report("How the cost grows", columns, rows, options.output, details=details)


if __name__ == "__main__":
    main()

"""Would decoding on a GPU pay: JPEG pictures of a prepared copy, and H.264 originals, beside one process of the CPU?

Training clips of 16 frames, 4 apart. The copy (short side 128) is decoded in batches of 8 clips by torchcodec's nvJPEG,
the originals (340x256, a key frame every 250 frames) one by one by the hardware decoder. Beside them, one process on
one thread: our reader of JPEG pictures, and torchcodec; a CPU gives that for each of its cores.
Usage: python benchmarks/decoding_device.py [--quick] [--device cuda] [--output FILE.json]
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import torch
from clips import with_other_parts, write_originals
from measuring import paired, parser, ratio, report
from torch import Tensor

from vidcls.copies.preparation import prepare
from vidcls.copies.prepared_folder import PrepareSettings
from vidcls.datasets import VideoCsv
from vidcls.errors import MissingExtraError
from vidcls.jobs import local_pool
from vidcls.video import open_video
from vidcls.video.jpeg_reader import JpegReader

CLIP_LEN, STRIDE, BATCH = 16, 4, 8
SPAN = (CLIP_LEN - 1) * STRIDE + 1
Read = Callable[[list[Path], random.Random], list[Tensor]]


def drawn(num_frames: int, draw: random.Random) -> range:
    start = draw.randrange(num_frames - SPAN + 1)
    return range(start, start + SPAN, STRIDE)


def our_reader(paths: list[Path], draw: random.Random) -> list[Tensor]:
    found = []
    for path in paths:
        with open_video(path) as video:
            found.append(video.frames(drawn(video.num_frames, draw)))
    return found


def jpeg_on(device: torch.device) -> Read:
    def read(paths: list[Path], draw: random.Random) -> list[Tensor]:
        from torchcodec.decoders import decode_jpeg

        pictures: list[bytes] = []
        for path in paths:
            with closing(JpegReader(path)) as reader:
                pictures += [reader.encoded(index) for index in drawn(reader.num_frames, draw)]
        return list(torch.stack(decode_jpeg(pictures, device=device)).split(CLIP_LEN))  # type: ignore[arg-type]

    return read


def originals_on(device: torch.device) -> Read:
    def read(paths: list[Path], draw: random.Random) -> list[Tensor]:
        from torchcodec.decoders import VideoDecoder

        found = []
        for path in paths:
            decoder = VideoDecoder(path, num_ffmpeg_threads=1, device=device)
            assert decoder.metadata.num_frames is not None
            found.append(decoder.get_frames_at(list(drawn(decoder.metadata.num_frames, draw))).data)
        return found

    return read


def clips_per_second(read: Read, paths: list[Path], num_batches: int, device: torch.device) -> Callable[[], float]:
    def measure() -> float:
        draw = random.Random(0)
        read(paths[:BATCH], draw)
        start = time.perf_counter()
        for _ in range(num_batches):
            clips = read(draw.sample(paths, BATCH), draw)
        if device.type == "cuda":
            torch.cuda.synchronize()
        elapsed = time.perf_counter() - start
        assert clips[0].shape[:2] == (CLIP_LEN, 3)
        return num_batches * BATCH / elapsed

    return measure


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = arguments.parse_args()
    device, cpu = torch.device(options.device), torch.device("cpu")
    torch.set_num_threads(1)
    num_videos, num_frames, num_batches, rounds = (8, 80, 1, 1) if options.quick else (24, 300, 12, 5)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        originals = write_originals(folder / "originals", num_videos=num_videos, num_frames=num_frames)
        dataset = with_other_parts(folder / "originals", originals)
        prepare(dataset.records, folder / "copy", PrepareSettings(128), pool=local_pool(0))
        copies = [record.path for record in VideoCsv(folder / "copy" / "clips.csv").split("train")]
        reads: dict[str, tuple[Read, list[Path], int, torch.device]] = {
            "JPEG copy, our reader, one CPU process": (our_reader, copies, 4 * num_batches, cpu),
            f"JPEG copy, torchcodec, in batches on {device}": (jpeg_on(device), copies, 4 * num_batches, device),
            "originals, torchcodec, one CPU process": (originals_on(cpu), originals, num_batches, cpu),
            f"originals, torchcodec on {device}": (originals_on(device), originals, num_batches, device),
        }
        try:
            open_video(originals[0], "torchcodec").close()
        except MissingExtraError as error:
            print(f"{error}: its rows are left out")
            reads = {name: read for name, read in reads.items() if "torchcodec" not in name}
        found = paired({name: clips_per_second(*given) for name, given in reads.items()}, rounds=rounds)
    bases = {name.split(",")[0]: one for name, one in found.items() if name.endswith("CPU process")}
    rows: list[tuple[object, ...]] = [
        (name, one.median, one.spread, ratio(one, bases[name.split(",")[0]])) for name, one in found.items()
    ]
    columns = ("decoding", "clips/s", "spread", "x one CPU process")
    details = {name: one.values for name, one in found.items()}
    report(f"Decoding of clips on {device}", columns, rows, options.output, details=details)


if __name__ == "__main__":
    main()

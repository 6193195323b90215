"""Which decoder reads a training clip fastest, by codec, size and pattern of frames?

16 frames 4 apart, 8 frames spread over the whole file, and 1 frame, from files of 300 frames: H.264 with a key frame
every 250 and every 12 frames and every frame, and Motion JPEG. Each file is opened again for each clip, as a loader
does. One thread.
Usage: python benchmarks/decoders.py [--quick] [--output FILE.json]
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from clips import FPS, source_frames
from measuring import paired, parser, report
from torchvision.transforms.v2 import functional as F

from vidcls.errors import DecodeError, MissingExtraError
from vidcls.video import BACKENDS, open_video, write_video

Pattern = Callable[[int, random.Random], list[int]]
PATTERNS: dict[str, Pattern] = {
    "16 frames, 4 apart": lambda n, draw: list(range(start := draw.randrange(n - 60), start + 61, 4)),
    "8 frames over the file": lambda n, draw: [draw.randrange(k * n // 8, (k + 1) * n // 8) for k in range(8)],
    "1 frame": lambda n, draw: [draw.randrange(n)],
}


def write_files(folder: Path, *, num_frames: int) -> dict[str, Path]:
    frames = source_frames(num_frames)
    found: dict[str, Path] = {}
    for size, scaled in {"340x256": frames, "170x128": F.resize(frames, [128], antialias=True)}.items():
        for gop in (250, 12, 1):
            found[f"H.264 {size}, GOP {gop}"] = path = folder / f"{size}_{gop}.mp4"
            write_video(path, scaled, fps=FPS, gop=gop, quality=23)
        found[f"JPEG {size}"] = path = folder / f"{size}.jpeg.avi"
        write_video(path, scaled, fps=FPS, codec="mjpeg")
    return found


def milliseconds(path: Path, backend: str, pattern: Pattern, *, num_clips: int) -> Callable[[], float]:
    draw = random.Random(0)

    def measure() -> float:
        start = time.perf_counter()
        for _ in range(num_clips):
            with open_video(path, backend) as video:  # type: ignore[arg-type]
                video.frames(pattern(video.num_frames, draw))
        return 1e3 * (time.perf_counter() - start) / num_clips

    return measure


def main() -> None:
    options = parser(__doc__).parse_args()
    torch.set_num_threads(1)
    num_frames, num_clips, rounds = (70, 1, 1) if options.quick else (300, 8, 5)
    rows: list[tuple[object, ...]] = []
    details: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, path in write_files(Path(folder), num_frames=num_frames).items():
            backends = [*BACKENDS, "jpeg"] if name.startswith("JPEG") else list(BACKENDS)
            jobs: dict[str, Callable[[], float]] = {}
            for backend in backends:
                try:
                    open_video(path, backend).close()  # type: ignore[arg-type]
                except (DecodeError, MissingExtraError) as error:
                    print(f"{name}: {error}")
                    continue
                for title, pattern in PATTERNS.items():
                    jobs[f"{backend}|{title}"] = milliseconds(path, backend, pattern, num_clips=num_clips)
            found = paired(jobs, rounds=rounds)
            details[name] = {job: measured.values for job, measured in found.items()}
            for backend in backends:
                cells = [found.get(f"{backend}|{title}") for title in PATTERNS]
                if any(cells):
                    rows.append((name, backend, *(cell.median if cell else "-" for cell in cells)))
    report(
        "Milliseconds to open a file and read", ("file", "decoder", *PATTERNS), rows, options.output, details=details
    )


if __name__ == "__main__":
    main()

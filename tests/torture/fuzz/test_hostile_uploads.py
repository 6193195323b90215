"""Hostile uploads by the thousand: scores of what can be read, a clear refusal of the rest, and nothing left behind."""

from __future__ import annotations

import os
import random
import resource
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from served import Served, saved_checkpoint, servers

from vidcls.datasets import VideoFolder
from vidcls.predict import Predictor
from vidcls.video import write_video

Damage = Callable[[random.Random, bytes, bytes], bytes]
NUM_UPLOADS, NUM_UPLOADS_FULL = 60, 10_000
NUM_WARM = 200
NUM_CLIENTS = 4
MEBIBYTES_THAT_STAY = 200  # of allocators, over ten thousand requests
NAMES = ("a.mp4", "b.avi", "c.mkv", "d", "../../e.mp4", "f.jpeg.avi", "\x1b[2J.mov", "g" * 300 + ".webm", "h.exe", "")
REFUSALS = {400, 413, 415, 422}


@pytest.fixture
def served(clip_dataset: VideoFolder, tmp_path: Path) -> Iterator[Served]:
    from vidcls.serve.limits import Limits

    predictor = Predictor(saved_checkpoint(clip_dataset, tmp_path / "model.ckpt"), device="cpu")
    with servers(predictor, tmp_path) as start:
        yield start(Limits(max_bytes=2**20, decode_seconds=20.0), num_workers=2)


@pytest.fixture
def intact(tmp_path: Path) -> list[bytes]:
    """Files of several kinds."""
    frames = torch.randint(0, 255, (10, 3, 64, 80), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    kinds = (("a.mp4", "h264"), ("b.mp4", "mpeg4"), ("c.avi", "mjpeg"), ("d.mkv", "h264"), ("e.mkv", "ffv1"))
    for name, codec in kinds:
        write_video(tmp_path / name, frames, codec=codec)
    return [(tmp_path / name).read_bytes() for name, _ in kinds]


def body(chance: random.Random, intact: Sequence[bytes], damages: Sequence[Damage]) -> tuple[bytes, dict[str, str]]:
    """What a client sends: mostly a form with a damaged video, at times a damaged form, or something else."""
    content = chance.choice(intact)
    for _ in range(chance.choice((1, 1, 2))):
        content = chance.choice(damages)(chance, content, chance.choice(intact)) or b"?"
    name = chance.choice(NAMES).encode("utf-8", errors="replace").replace(b'"', b"")
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="' + name + b'"\r\n\r\n' + content
    form += b"\r\n--x--\r\n"
    kind = chance.random()
    if kind < 0.1:
        form = chance.choice(damages)(chance, form, content) or b"?"
    if kind > 0.95:
        return chance.randbytes(chance.randrange(2000)), {"Content-Type": "application/json"}
    if kind > 0.9:
        return chance.randbytes(chance.randrange(2000)), {"Content-Type": "multipart/form-data; boundary=x"}
    return form, {"Content-Type": "multipart/form-data; boundary=x"}


def open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0  # noqa: PTH208


def taken_mebibytes() -> float:
    file = Path("/proc/self/statm")
    return int(file.read_text().split()[1]) * resource.getpagesize() / 2**20 if file.is_file() else 0.0


def test_hostile_uploads_get_a_clear_answer_and_leave_nothing(
    served: Served, intact: list[bytes], video_damages: Sequence[Damage], is_full: bool, tally: Callable[..., None]
) -> None:
    import httpx

    num_uploads = NUM_UPLOADS_FULL if is_full else NUM_UPLOADS
    statuses: Counter[int] = Counter()
    wrong: list[str] = []

    with httpx.Client(timeout=120, limits=httpx.Limits(max_connections=NUM_CLIENTS)) as client:

        def send(number: int) -> None:
            content, headers = body(random.Random(number), intact, video_damages)
            response = client.post(f"{served.url}/predict", content=content, headers=headers)
            statuses[response.status_code] += 1
            said = response.json()
            is_scored = response.status_code == 200 and sum(said["scores"].values()) == pytest.approx(1.0, abs=1e-4)
            is_refused = response.status_code in REFUSALS and said.keys() == {"error", "kind"}
            is_clear = is_scored or (is_refused and len(said["error"].splitlines()) == 1 and len(said["error"]) < 3000)
            if not is_clear or "\x1b" in response.text:
                wrong.append(f"{number}: {response.status_code} {response.text[:300]}")

        with ThreadPoolExecutor(NUM_CLIENTS) as together:
            warm = min(NUM_WARM, num_uploads // 2)
            list(together.map(send, range(warm)))
            files, mebibytes = open_files(), taken_mebibytes()
            list(together.map(send, range(warm, num_uploads)))
            assert open_files() <= files + 2 * NUM_CLIENTS
            assert taken_mebibytes() <= mebibytes + MEBIBYTES_THAT_STAY
        assert client.get(f"{served.url}/health").status_code == 200
    tally("hostile uploads", recovered=num_uploads - len(wrong), lost=len(wrong), note=str(dict(statuses)))
    assert wrong == []
    assert (served.folder.num_files(), served.service.num_in_work) == (0, 0)
    assert sum(statuses.values()) == num_uploads

"""Damaged video files by the thousand: frames of this video or a DecodeError, and never the frames of another."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import random
import resource
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import TimeoutError as OverTime
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch
from decoders import missing
from pebble import ProcessExpired, ProcessPool
from torch import Tensor

from vidcls.errors import DecodeError
from vidcls.video import Backend, open_video, write_video
from vidcls.video.packets import list_packets

Damage = Callable[[random.Random, bytes, bytes], bytes]
Tally = Callable[..., None]

BACKENDS: tuple[Backend | None, ...] = (None, "decord", "torchcodec", "pyav", "jpeg")
GIBIBYTES_PER_WORKER = 3  # of address space beyond what the libraries take
SECONDS_PER_INPUT = 60.0  # far more than any takes, on a busy machine too
CELL_PX = 16
ODD_FILES = ("base_faststart.mp4", "vfr.mp4", "unordered.mov", "video_90.mov", "gif_10fps.gif", "corrupted.mp4")
SOUND, UNSTEADY, REFUSED = "frames", "frames that differ when read twice", "DecodeError"
NOT_INSTALLED = "not installed"
FOREIGN = "another video's frames"


def texture(seed: int, height_px: int = 64, width_px: int = 80, num_frames: int = 10) -> Tensor:
    """A video whose every cell of 16x16 px is a random pattern of 4x4 px blocks: ``(T, 3, H, W)`` uint8.

    A row of the pattern is brightened from frame to frame, so that frames differ.
    """
    generator = torch.Generator().manual_seed(seed)
    blocks = torch.randint(30, 226, (3, -(-height_px // 4), -(-width_px // 4)), generator=generator)
    frame = blocks.repeat_interleave(4, 1).repeat_interleave(4, 2)[:, :height_px, :width_px]
    frames = frame.expand(num_frames, -1, -1, -1).clone()
    for t in range(num_frames):
        frames[t, :, 4 * t % height_px] += 25
    return frames.to(torch.uint8)


def share_that_resembles(frames: Tensor, other: Tensor) -> float:
    """The largest share of a frame's cells that correlate with those of ``other``, ``(3, H, W)``; 0 for other sizes."""
    if frames.shape[-2:] != other.shape[-2:]:
        return 0.0
    found, wanted = cells(frames), cells(other[None])
    found, wanted = (x - x.mean(dim=-1, keepdim=True) for x in (found, wanted))
    both = found.norm(dim=-1) * wanted.norm(dim=-1)
    correlation = (found * wanted).sum(dim=-1) / both.clamp(min=1.0)  # (T, cells)
    return float((correlation > 0.85).float().mean(dim=-1).max())


def cells(frames: Tensor) -> Tensor:
    """``(T, cells, values)`` of whole cells."""
    parts = frames.float().unfold(2, CELL_PX, CELL_PX).unfold(3, CELL_PX, CELL_PX)  # (T, 3, h, w, 16, 16)
    return parts.permute(0, 2, 3, 1, 4, 5).flatten(1, 2).flatten(2)


def some_frames(path: Path, backend: Backend | None) -> Tensor:
    """The first frames, the last and one between, after all that a reader tells was asked for."""
    with open_video(path, backend) as video:
        num_frames = video.num_frames
        wanted = sorted({0, min(1, num_frames - 1), num_frames // 2, num_frames - 1})
        frames = video.frames(wanted).clone()
        assert (video.info.num_frames, video.info.fps) == (num_frames, video.fps)
        return frames


def outcome(path: Path, neighbour: Path, backend: Backend | None, planted: str | None = None) -> str:
    """What comes of a damaged file, after an intact one of the same size was read in this process."""
    warnings.simplefilter("ignore")
    if backend is not None and missing(backend):
        return NOT_INSTALLED
    before = some_frames(neighbour, None if backend == "jpeg" else backend)
    try:
        if backend is None:
            list_packets(path)
        frames = some_frames(path, backend)
    except DecodeError:
        frames = None
    except Exception as error:  # noqa: BLE001 - which ones come out is the question
        return f"{type(error).__name__}: {str(error)[:200]}"
    if planted == "stale memory":
        frames = before
    if planted == "crash":
        ctypes.string_at(0)
    if planted == "wrong error":
        return "IndexError: planted"
    if frames is None:
        return REFUSED
    if share_that_resembles(frames, before[0]) > 0.1:
        return FOREIGN
    try:
        again = some_frames(path, backend)
    except DecodeError:  # decord's thread reports an error too late for the first reading, at times
        return UNSTEADY
    return SOUND if torch.equal(frames, again) else UNSTEADY


def start_worker() -> None:
    """Load the decoders, then limit memory: a header must not take it all."""
    faulthandler.disable()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what the decoders' libraries say of broken files
    torch.set_num_threads(1)
    for backend in ("decord", "torchcodec", "pyav"):
        if missing(backend) is None:
            some_frames(Path(os.environ["VIDCLS_FUZZ_SOUND"]), backend)
    with Path("/proc/self/statm").open() as file:
        taken = int(file.read().split()[0]) * resource.getpagesize()
    limit = taken + GIBIBYTES_PER_WORKER * 2**30
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def outcomes_of(jobs: Sequence[tuple[Path, Path, Backend | None]], *, planted: str | None = None) -> list[str]:
    """The outcome of each job in worker processes, one that died or did not end included."""
    found: list[str] = []
    with ProcessPool(max_workers=2, initializer=start_worker, context=get_context("fork")) as pool:
        futures = [pool.schedule(outcome, args=(*job, planted), timeout=SECONDS_PER_INPUT) for job in jobs]
        for future in futures:
            try:
                found.append(future.result())
            except OverTime:
                found.append("hang")
            except ProcessExpired as error:
                found.append(f"crash in a worker ({error.exitcode})")
    return found


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, Path]]:
    """Intact files, each with a neighbour: a texture of its own, of the same size, that is read before it."""
    folder = tmp_path_factory.mktemp("sound")
    own = [
        ("a.mp4", "h264"),
        ("b.mp4", "mpeg4"),
        ("c.avi", "mjpeg"),
        ("d.mkv", "h264"),
        ("e.jpeg.avi", "mjpeg"),
        ("f.jpeg.avi", "mjpeg"),
        ("g.mkv", "ffv1"),
    ]
    for seed, (name, codec) in enumerate(own):
        write_video(folder / name, texture(seed), codec=codec)
    paths = [folder / name for name, _ in own]
    if root := os.environ.get("VIDCLS_REAL_DATA"):
        real = Path(root)
        for data_set in ("fall_overhead", "weizmann4"):
            paths += sorted((real / data_set).rglob("*.mp4"), key=lambda path: path.stat().st_size)[:3]
        paths += [real / "oddities" / name for name in ODD_FILES]
    os.environ["VIDCLS_FUZZ_SOUND"] = str(paths[0])
    pairs = []
    for number, path in enumerate(paths):
        with warnings.catch_warnings(), open_video(path, "pyav") as video:
            warnings.simplefilter("ignore")
            height_px, width_px = video.frames([0]).shape[-2:]
        neighbour = folder / f"neighbour{number}.mp4"
        write_video(neighbour, texture(1000 + number, height_px, width_px), quality=10)
        pairs.append((path, neighbour))
    return pairs


def damaged_files(
    sources: Sequence[tuple[Path, Path]], damages: Sequence[Damage], folder: Path, num_inputs: int
) -> list[tuple[Path, Path, Backend | None]]:
    """Jobs: a damaged file, the neighbour that is read before it, and the backend, each in turn."""
    chance = random.Random(0)
    jobs: list[tuple[Path, Path, Backend | None]] = []
    contents = [path.read_bytes() for path, _ in sources]
    for number in range(num_inputs):
        k = chance.randrange(len(sources))
        path, neighbour = sources[k]
        damaged = contents[k]
        for _ in range(chance.choice((1, 1, 1, 2))):
            damaged = chance.choice(damages)(chance, damaged, chance.choice(contents)) or b"?"
        target = folder / f"{number:05}{''.join(path.suffixes)}"
        target.write_bytes(damaged)
        is_jpeg = path.name.endswith(".jpeg.avi")
        jobs.append((target, neighbour, chance.choice(BACKENDS if is_jpeg else BACKENDS[:-1])))
    return jobs


def test_a_damaged_video_gives_its_frames_or_a_decode_error(
    sources: list[tuple[Path, Path]], video_damages: tuple[Damage, ...], tmp_path: Path, is_full: bool, tally: Tally
) -> None:
    jobs = damaged_files(sources, video_damages, tmp_path, 6000 if is_full else 120)
    by_backend: dict[str, Counter[str]] = {}
    bad: list[str] = []
    for (path, _, backend), found in zip(jobs, outcomes_of(jobs), strict=True):
        name = backend or "all in turn"
        by_backend.setdefault(name, Counter())[found.partition(":")[0]] += 1
        if found.startswith("crash"):
            continue  # of a decoder's library, in a process of its own: counted
        if found not in (SOUND, UNSTEADY, REFUSED, NOT_INSTALLED):
            bad.append(f"{path.name} by {name}: {found}")
    for name, counts in sorted(by_backend.items()):
        lost = sum(number for found, number in counts.items() if found.startswith(("crash", "hang")))
        note = ", ".join(f"{number} {found}" for found, number in counts.most_common())
        tally(f"damaged video, {name}", recovered=counts.total() - lost, lost=lost, note=note)
    assert bad == []


@pytest.mark.parametrize(
    ("planted", "expected"), [("stale memory", FOREIGN), ("crash", "crash"), ("wrong error", "IndexError")]
)
def test_a_planted_fault_of_a_decoder_is_found(sources: list[tuple[Path, Path]], planted: str, expected: str) -> None:
    path, neighbour = sources[0]
    (found,) = outcomes_of([(path, neighbour, "pyav")], planted=planted)
    assert found.startswith(expected)

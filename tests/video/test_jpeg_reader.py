"""The reader of JPEG pictures in AVI: the same frames as the others, and a refusal of everything else."""

from __future__ import annotations

import random
import struct
import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor

from vidcls.errors import DecodeError, MissingExtraError
from vidcls.video import DecoderFallbackWarning, open_video, write_video
from vidcls.video.jpeg_reader import JpegReader
from vidcls.video.reader import Backend

NUM_FRAMES = 20


def scene(height: int = 48, width: int = 64) -> Tensor:
    """A bright block that moves over a gradient, different in every frame."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    ground = torch.stack([x * 2, y * 3, x + y]).clamp(0, 255)
    frames = ground.repeat(NUM_FRAMES, 1, 1, 1).to(torch.uint8)
    for t in range(NUM_FRAMES):
        frames[t, :, 8:24, 2 * t : 2 * t + 16] = 220
    return frames


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("jpeg") / "clip.jpeg.avi"
    write_video(path, scene(), fps=30000 / 1001, codec="mjpeg", quality=2)
    return path


def test_it_gives_the_frames_that_were_written_in_any_order(path: Path) -> None:
    reader, written = JpegReader(path), scene().float()
    assert reader.num_frames == NUM_FRAMES
    assert reader.fps == pytest.approx(30000 / 1001)
    assert reader.frame_seconds == pytest.approx([i * 1001 / 30000 for i in range(NUM_FRAMES)])
    info = reader.info
    assert (info.height_px, info.width_px, info.codec) == (48, 64, "mjpeg")
    for indices in ([0, 1, 2], [19, 0, 7, 7], random.Random(0).sample(range(NUM_FRAMES), NUM_FRAMES)):
        frames = reader.frames(indices)
        assert frames.shape == (len(indices), 3, 48, 64)
        assert frames.dtype == torch.uint8
        nearest = [int((written - frame.float()).abs().mean(dim=(1, 2, 3)).argmin()) for frame in frames]
        assert nearest == list(indices)
        assert (frames.float() - written[list(indices)]).abs().mean() < 3
    reader.close()
    assert frames.float().mean() > 0  # what was read stays


@pytest.mark.parametrize("size", [(48, 64), (47, 63), (33, 18)])
@pytest.mark.parametrize("backend", ["pyav", "decord"])
def test_it_agrees_with_the_other_readers(size: tuple[int, int], backend: str, tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    write_video(path, scene(*size), codec="mjpeg")
    everything = range(NUM_FRAMES)
    with open_video(path, backend) as reference, open_video(path, "jpeg") as video:  # type: ignore[arg-type]
        # They enlarge colour, which is kept at half the size, in other ways: 1.5 of 255 on average at hard edges.
        difference = (video.frames(everything).float() - reference.frames(everything).float()).abs()
        assert difference.mean(dim=(1, 2, 3)).max() <= 1.5
        assert video.info == reference.info


def test_its_files_are_read_by_it_without_being_asked_to(path: Path, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with open_video(path) as video:
            assert (video.num_frames, video.backend, video.fallbacks) == (NUM_FRAMES, "jpeg", 0)
    with open_video(path, "pyav") as video:
        assert video.backend == "pyav"
    other = tmp_path / "clip.avi"
    other.write_bytes(path.read_bytes())
    with open_video(other) as video:
        assert video.backend != "jpeg"


def test_a_file_of_that_name_with_something_else_in_it_is_read_by_the_others(tmp_path: Path) -> None:
    path = tmp_path / "clip.jpeg.avi"
    write_video(path, scene(), codec="h264")
    with pytest.warns(DecoderFallbackWarning, match="not Motion JPEG"):
        video = open_video(path)
    with video:
        assert video.num_frames == NUM_FRAMES
        assert video.backend != "jpeg"


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: b"no video", "is no AVI file"),
        (lambda data: data[:3000], "no video stream|no index|cut off"),
        (lambda data: data[:-100], "index that is cut off"),
        (lambda data: data[: len(data) // 2], "no index"),
        (lambda data: data.replace(b"strh", b"xxxx"), "no video stream"),
        (lambda data: data.replace(b"MJPG", b"XVID"), "holds XVID"),
        (lambda data: data.replace(b"idx1", b"idx2"), "no index"),
        (lambda data: data[: data.index(b"idx1") + 4] + struct.pack("<I", 0), "no pictures"),
        (lambda data: data[: data.index(b"idx1") + 4] + struct.pack("<I", 16) + data[-16:], "index has 1"),
        (lambda data: data.replace(b"\xff\xd8\xff", b"\x00\x00\x00"), "damaged picture"),
        (lambda data: data.replace(b"\xff\xd9", b"\x00\x00"), "picture that is cut off, number 0"),
    ],
)
def test_a_damaged_file_is_a_decode_error_and_no_crash(damage, reason: str, path: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpeg.avi"
    bad.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DecodeError, match=reason):
        JpegReader(bad).frames(range(NUM_FRAMES))


@pytest.mark.parametrize("backend", ["decord", "torchcodec", "pyav", "jpeg"])
@pytest.mark.parametrize("side_px", [60_000, 2**30])
def test_a_header_that_states_a_huge_picture_makes_no_room_for_it(
    path: Path, tmp_path: Path, side_px: int, backend: Backend
) -> None:
    """The pictures say the same, as far as they can."""
    bad, data = tmp_path / "bad.jpeg.avi", bytearray(path.read_bytes())
    form = data.index(b"strf")
    data[form + 12 : form + 20] = struct.pack("<ii", side_px, side_px)
    at = data.find(b"\xff\xc0\x00\x11")
    assert at > 0
    while at > 0:
        data[at + 5 : at + 9] = struct.pack(">HH", min(side_px, 65_535), min(side_px, 65_535))
        at = data.find(b"\xff\xc0\x00\x11", at + 4)
    bad.write_bytes(data)
    try:
        with pytest.raises(DecodeError, match="pictures of .* px: more than" if backend == "jpeg" else ""):
            open_video(bad, backend).frames([0, 1])
    except MissingExtraError:
        pytest.skip(f"{backend} is not installed")


def test_any_flipped_byte_gives_frames_or_a_decode_error(path: Path, tmp_path: Path) -> None:
    data, draw = path.read_bytes(), random.Random(0)
    bad = tmp_path / "bad.avi"
    for _ in range(500):
        damaged = bytearray(data)
        for _ in range(draw.choice([1, 4, 32])):
            damaged[draw.randrange(len(data))] = draw.randrange(256)
        bad.write_bytes(damaged[: draw.choice([len(data), draw.randrange(1, len(data))])])
        try:
            reader = JpegReader(bad)
            reader.frames(range(min(reader.num_frames, NUM_FRAMES)))
        except DecodeError:
            continue


def test_a_header_that_promises_a_large_picture_takes_no_memory_for_it(tmp_path: Path) -> None:
    path = tmp_path / "a.jpeg.avi"
    write_video(path, torch.full((3, 3, 32, 32), 90, dtype=torch.uint8), codec="mjpeg")
    content = bytearray(path.read_bytes())
    struct.pack_into("<ii", content, content.find(b"strf") + 12, 8_000, 8_000)
    path.write_bytes(content)
    with open_video(path, "jpeg") as video, pytest.raises(DecodeError, match="different sizes"):
        video.frames([0])

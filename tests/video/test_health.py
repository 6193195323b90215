from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from vidcls.video import FramesInMemory, write_video
from vidcls.video.health import Health, examine

SIZE = (3, 40, 56)


def moving(num_frames: int, *, seed: int = 0) -> torch.Tensor:
    """A textured square that moves 2 px per frame over a dark ground."""
    texture = torch.randint(80, 255, (3, 16, 16), generator=torch.Generator().manual_seed(seed))
    frame = torch.full(SIZE, 40)
    frame[:, 12:28, 12:28] = texture
    return torch.stack([frame.roll(2 * t, dims=-1) for t in range(num_frames)]).to(torch.uint8)


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """An MP4 file of 24 moving frames of 56x40, its header at the end."""
    write_video(tmp_path / "sound.mp4", moving(24), fps=12)
    return tmp_path / "sound.mp4"


def test_of_an_intact_file_every_frame_can_be_had_and_nothing_is_said_against_it(sound: Path) -> None:
    health = examine(sound)
    assert health.fault == ""
    assert (health.num_promised, health.num_frames, health.num_readable, health.num_unread) == (24, 24, 24, 0)
    assert (health.height_px, health.width_px, health.fps, health.codec) == (40, 56, 12.0, "h264")
    assert (health.num_bytes, health.stream_kinds, health.decoder) == (sound.stat().st_size, ("video",), "decord")
    facts = ("is_cut_off", "is_black", "is_frozen", "is_variable_rate", "rotation")
    assert [name for name in facts if getattr(health, name)] == []


def test_what_is_no_video_has_the_fault_that_it_has(sound: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video at all, but a text")
    (tmp_path / "half.mp4").write_bytes(sound.read_bytes()[:-400])  # without the header at the end
    faults = {name: examine(tmp_path / f"{name}.mp4").fault for name in ("nowhere", "empty", "text", "half")}
    assert faults == {"nowhere": "missing", "empty": "empty", "text": "undecodable", "half": "undecodable"}


@pytest.mark.parametrize(("codec", "suffix"), [("mjpeg", ".avi"), ("ffv1", ".mkv")])
def test_a_file_that_is_cut_off_says_how_many_frames_it_lacks(tmp_path: Path, codec: str, suffix: str) -> None:
    whole, cut = tmp_path / f"whole{suffix}", tmp_path / f"cut{suffix}"
    frames = torch.randint(0, 255, (40, *SIZE), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    write_video(whole, frames, codec=codec)  # type: ignore[arg-type]
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    assert not examine(whole).is_cut_off
    health = examine(cut)
    assert health.is_cut_off
    assert health.num_promised in (39, 40)  # by duration in .mkv
    assert 20 <= health.num_readable <= 24


def test_a_file_whose_middle_is_damaged_gives_the_frames_before(tmp_path: Path) -> None:
    file = tmp_path / "damaged.jpeg.avi"
    write_video(file, moving(20), codec="mjpeg")
    content = bytearray(file.read_bytes())
    starts = [k for k in range(len(content) - 1) if content[k : k + 2] == b"\xff\xd8"]
    content[starts[11] : starts[12] - 8] = bytes(starts[12] - 8 - starts[11])
    file.write_bytes(content)
    health = examine(file)
    assert (health.fault, health.num_readable, health.num_promised) == ("damaged", 11, 20)
    assert health.reason.startswith("frame 11 cannot be decoded")


def test_black_and_frozen_videos_are_told_from_dark_ones_and_from_ones_in_which_little_moves(tmp_path: Path) -> None:
    noise = torch.randint(-2, 3, (12, *SIZE), generator=torch.Generator().manual_seed(2))
    picture = moving(1)[0].int()
    dark = moving(12) // 6
    little = picture.expand(12, *SIZE).clone()
    little[6:, :, 30:38, 40:48] += 30
    videos = {
        "black": torch.zeros(12, *SIZE),
        "frozen": (picture + noise).clamp(0, 255),
        "dark": dark,
        "little": little,
        "one": picture[None],
    }
    found = {}
    for name, frames in videos.items():
        write_video(tmp_path / f"{name}.mkv", frames.to(torch.uint8))
        health = examine(tmp_path / f"{name}.mkv")
        found[name] = (health.is_black, health.is_frozen)
    assert found == {
        "black": (True, True),
        "frozen": (False, True),
        "dark": (False, False),
        "little": (False, False),
        "one": (False, False),
    }


def test_copies_have_the_same_digest_and_the_same_frames_in_another_container_the_same_content(tmp_path: Path) -> None:
    for name in ("a.avi", "b.mkv"):
        write_video(tmp_path / name, moving(8), codec="ffv1")
    write_video(tmp_path / "other.avi", moving(8, seed=5), codec="ffv1")
    shutil.copy(tmp_path / "a.avi", tmp_path / "copy.avi")
    a, b, copy, other = (examine(tmp_path / name) for name in ("a.avi", "b.mkv", "copy.avi", "other.avi"))
    assert a.digest == copy.digest != b.digest
    assert a.content_digest == b.content_digest == copy.content_digest != other.content_digest


@pytest.mark.parametrize(("gop", "num_unread"), [(4, 16), (1000, 20)])
def test_of_a_video_that_takes_too_long_the_end_is_read_where_it_is_cheap_and_the_rest_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gop: int, num_unread: int
) -> None:
    monkeypatch.setattr("vidcls.video.health.CHUNK_BYTES", 4 * 3 * 40 * 56)  # four frames
    write_video(tmp_path / "long.mp4", moving(24), gop=gop, b_frames=0)
    health = examine(tmp_path / "long.mp4", most_seconds=0)
    assert (health.fault, health.num_unread, health.num_readable, health.num_frames) == (
        "",
        num_unread,
        24 - num_unread,
        24,
    )


def test_a_video_that_was_not_read_whole_is_not_called_black_or_frozen_and_has_no_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = torch.cat([torch.zeros(8, *SIZE, dtype=torch.uint8), moving(24), torch.zeros(8, *SIZE, dtype=torch.uint8)])
    write_video(tmp_path / "dark_at_first.mp4", frames, gop=4, b_frames=0)
    monkeypatch.setattr("vidcls.video.health.CHUNK_BYTES", 4 * 3 * 40 * 56)
    health = examine(tmp_path / "dark_at_first.mp4", most_seconds=0)
    assert health.num_unread == 32
    assert (health.is_black, health.is_frozen, health.content_digest) == (False, False, "")


def test_a_file_that_may_not_be_read_says_so(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert examine(sound) == Health("undecodable", "Permission denied", sound.stat().st_size)


ODDITIES = {
    "audio_only.mp4": ("no video", 0),
    "av1_video.mkv": ("", 125),
    "base_faststart.mp4": ("", 56),
    "corrupted.mp4": ("damaged", 28),
    "gif_10fps.gif": ("", 10),
    "h264_10bits.mp4": ("", 30),
    "odd_size_yuv444.mp4": ("", 28),
    "one_frame.mp4": ("", 1),
    "start_offset_5s.ts": ("", 56),
    "truncated_no_moov.mp4": ("undecodable", 0),
    "unordered.mov": ("", 4),
    "vfr.mp4": ("", 29),
    "video_90.mov": ("", 3),
    "zero_bytes.mp4": ("empty", 0),
    "zeroframe_258B.mp4": ("no video", 0),
}


@pytest.fixture(scope="module")
def oddities() -> dict[str, Health]:
    root = os.environ.get("VIDCLS_REAL_DATA")
    if not root:
        pytest.skip("VIDCLS_REAL_DATA is not set: the folder with real and broken videos")
    return {file.name: examine(file) for file in sorted((Path(root) / "oddities").iterdir())}


def test_each_oddity_gives_the_frames_that_can_be_had_or_the_fault_it_has(oddities: dict[str, Health]) -> None:
    assert {name: (health.fault, health.num_readable) for name, health in oddities.items()} == ODDITIES
    of_all: Callable[[str], list[str]] = lambda what: [n for n, h in oddities.items() if getattr(h, what)]  # noqa: E731
    assert of_all("is_variable_rate") == ["vfr.mp4"]
    assert of_all("is_cut_off") == []
    assert of_all("is_black") == []
    assert of_all("is_frozen") == ["unordered.mov"]  # four white frames
    assert {n: h.rotation for n, h in oddities.items() if h.rotation} == {"video_90.mov": -90}
    assert (oddities["video_90.mov"].height_px, oddities["video_90.mov"].width_px) == (568, 320)
    assert oddities["corrupted.mp4"].num_promised == 50
    assert oddities["start_offset_5s.ts"].decoder == "pyav"
    assert oddities["audio_only.mp4"].stream_kinds == ("audio",)


def test_frames_behind_the_end_of_the_file_are_missing_though_the_header_is_whole(
    tmp_path: Path, oddities: dict[str, Health]
) -> None:
    file = Path(os.environ["VIDCLS_REAL_DATA"]) / "oddities" / "base_faststart.mp4"
    (tmp_path / "cut.mp4").write_bytes(file.read_bytes()[:50_000])
    health = examine(tmp_path / "cut.mp4")
    assert health.is_cut_off
    assert health.num_promised == 56
    assert 0 < health.num_readable < 56


def test_frames_that_an_edit_list_hides_are_not_missing(tmp_path: Path) -> None:
    file = tmp_path / "edited.mp4"
    frames = torch.randint(0, 255, (24, *SIZE), generator=torch.Generator().manual_seed(3)).to(torch.uint8)
    write_video(file, frames, fps=12, gop=4, b_frames=0)
    content = bytearray(file.read_bytes())
    entry = content.index(b"elst") + 12  # of the one that there is: duration, and where it starts in the stream
    duration, start = struct.unpack_from(">Ii", content, entry)
    assert start == 0
    struct.pack_into(">Ii", content, entry, duration // 2, 12 * 1024)  # the second half: 12 frames of 1024 ticks
    file.write_bytes(content)
    health = examine(file)
    assert (health.num_frames, health.num_readable, health.is_cut_off) == (12, 12, False)


def test_frames_in_memory_are_looked_at_like_those_of_a_file() -> None:
    frames = torch.randint(0, 256, (5, 3, 32, 48), generator=torch.Generator().manual_seed(1)).byte()
    health = examine(FramesInMemory(frames, fps=10.0))
    assert (health.fault, health.num_readable, health.num_promised, health.fps) == ("", 5, 5, 10.0)
    assert (health.height_px, health.width_px, health.is_black, health.is_frozen) == (32, 48, False, False)
    assert examine(FramesInMemory(frames[:1].expand(5, -1, -1, -1))).is_frozen


def test_a_pipe_is_no_video_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    assert examine(tmp_path / "pipe.mp4") == Health("missing", "is no regular file")

"""Small video files with known frames, one per thing that confuses decoders."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest
import torch
from encoding import encode
from torch import Tensor

from vidcls.video import write_video

NUM_FRAMES = 30


@dataclass(frozen=True)
class Clip:
    """A file and the frames that a reader must find in it."""

    path: Path
    frames: Tensor
    fps: float
    refused_by: frozenset[str] = frozenset()
    """Decoders that are known not to read it: they must say so, and never hand out other frames."""
    shown_at: tuple[float, ...] | None = None
    """Seconds of each frame; None where they are even."""

    @property
    def frame_seconds(self) -> list[float]:
        return list(self.shown_at) if self.shown_at else [i / self.fps for i in range(len(self.frames))]


def ramp_frames(num_frames: int = NUM_FRAMES, height: int = 48, width: int = 64) -> Tensor:
    """Frames that differ from their neighbours by far more than a codec's error: brightness rises, a bar moves."""
    x, y = torch.arange(width).float(), torch.arange(height).float()
    frames = torch.empty(num_frames, 3, height, width, dtype=torch.uint8)
    for t in range(num_frames):
        bar = 60 * torch.exp(-(((x - t * width / num_frames) / (width / 8)) ** 2))
        level = 20 + 140 * t / num_frames
        frames[t, 0] = (level + bar[None, :] + 0 * y[:, None]).round().byte()
        frames[t, 1] = (level + 20 * y[:, None] / height + 0 * x).round().byte()
        frames[t, 2] = (level + 30 * x / width + 0 * y[:, None]).round().byte()
    return frames


def grainy_frames(num_frames: int = NUM_FRAMES, height: int = 120, width: int = 160) -> Tensor:
    """The same with grain that takes a codec many bytes."""
    grain = torch.randint(-12, 13, (num_frames, 1, height, width), generator=torch.Generator().manual_seed(0))
    return (ramp_frames(num_frames, height, width) + grain).clamp(0, 255).byte()


def cut_without_encoding(source: Path, path: Path, first_shown: int, *, first_key: int = 0) -> None:
    """Copy packets from a key frame on, the first ones hidden by an edit list, as cutting with a stream copy does."""
    av = pytest.importorskip("av")
    options = {"avoid_negative_ts": "disabled", "use_editlist": "1"}
    with av.open(str(source)) as container, av.open(str(path), "w", options=options) as target:
        stream = container.streams.video[0]
        copy = target.add_stream_from_template(stream)
        ticks = int(first_shown / (25 * stream.time_base))
        num_keys = 0
        for packet in container.demux(stream):
            num_keys += packet.is_keyframe and packet.size > 0
            if packet.size and num_keys > first_key:
                packet.pts, packet.dts, packet.stream = packet.pts - ticks, packet.dts - ticks, copy
                target.mux(packet)


def _h264_b_frames_long_gop(folder: Path) -> Clip:
    frames = ramp_frames()
    write_video(folder / "h264.mp4", frames, gop=250, b_frames=3)
    return Clip(folder / "h264.mp4", frames, 25.0)


def _h264_short_gop(folder: Path) -> Clip:
    frames = ramp_frames()
    write_video(folder / "short.mkv", frames, fps=30000 / 1001, gop=8, b_frames=2)
    return Clip(folder / "short.mkv", frames, 30000 / 1001)


def _h264_open_gop(folder: Path) -> Clip:
    frames = ramp_frames()
    options = {"x264-params": "open-gop=1:keyint=8:min-keyint=8:bframes=3:b-adapt=0:scenecut=0", "crf": "12"}
    encode(folder / "open.mp4", frames, options=options)
    return Clip(folder / "open.mp4", frames, 25.0, frozenset({"torchcodec"}))


def _h264_flash_video(folder: Path) -> Clip:
    frames = ramp_frames()
    encode(folder / "clip.flv", frames, options={"g": "8", "bf": "2", "crf": "12"})
    return Clip(folder / "clip.flv", frames, 25.0, frozenset({"torchcodec"}))


def _h264_transport_stream(folder: Path) -> Clip:
    frames = ramp_frames()
    encode(folder / "clip.ts", frames, options={"g": "8", "bf": "2", "crf": "12"})
    return Clip(folder / "clip.ts", frames, 25.0, frozenset({"decord", "torchcodec"}))


def _h264_in_avi(folder: Path) -> Clip:
    frames = ramp_frames()
    write_video(folder / "h264.avi", frames, gop=8, b_frames=2)
    return Clip(folder / "h264.avi", frames, 25.0, frozenset({"torchcodec"}))


def _h264_narrow(folder: Path) -> Clip:
    frames = ramp_frames(12, 40, 96)
    write_video(folder / "narrow.mp4", frames)
    return Clip(folder / "narrow.mp4", frames, 25.0)


def _h264_odd_size(folder: Path) -> Clip:
    frames = ramp_frames(12, 131, 175)
    write_video(folder / "odd.mp4", frames)
    return Clip(folder / "odd.mp4", frames, 25.0)


def _mpeg4(folder: Path) -> Clip:
    frames = ramp_frames()
    write_video(folder / "mpeg4.avi", frames, codec="mpeg4", gop=8, b_frames=0, quality=2)
    return Clip(folder / "mpeg4.avi", frames, 25.0)


def _mpeg4_b_frames(folder: Path) -> Clip:
    frames = ramp_frames()
    write_video(folder / "mpeg4.mp4", frames, codec="mpeg4", gop=8, b_frames=2, quality=2)
    return Clip(folder / "mpeg4.mp4", frames, 25.0)


def _mpeg4_b_frames_avi(folder: Path) -> Clip:
    frames = ramp_frames()
    write_video(folder / "mpeg4_b.avi", frames, codec="mpeg4", gop=8, b_frames=2, quality=2)
    return Clip(folder / "mpeg4_b.avi", frames, 25.0, frozenset({"torchcodec"}))


def _mjpeg_odd_size(folder: Path) -> Clip:
    frames = ramp_frames(12, 131, 175)
    write_video(folder / "mjpeg.avi", frames, codec="mjpeg")
    return Clip(folder / "mjpeg.avi", frames, 25.0)


def _lossless(folder: Path) -> Clip:
    frames = ramp_frames(12)
    write_video(folder / "lossless.mkv", frames, codec="ffv1", fps=10)
    return Clip(folder / "lossless.mkv", frames, 10.0)


def _variable_rate(folder: Path) -> Clip:
    frames = ramp_frames()
    pts = [t if t < 10 else 10 + 3 * (t - 10) for t in range(len(frames))]  # 25 per second, then a third of it
    encode(folder / "vfr.mp4", frames, pts=pts, options={"g": "12", "bf": "2", "crf": "12"})
    fps = 25 * 30 / 68  # 68 ticks, the last frame lasting one
    return Clip(folder / "vfr.mp4", frames, fps, shown_at=tuple(tick / 25 for tick in pts))


def _cut(folder: Path) -> Clip:
    frames = ramp_frames()
    write_video(folder / "uncut.mp4", frames, gop=8, b_frames=2)
    cut_without_encoding(folder / "uncut.mp4", folder / "cut.mp4", first_shown=5)
    return Clip(folder / "cut.mp4", frames[5:], 25.0)


def _cut_with_open_groups(folder: Path) -> Clip:
    frames = ramp_frames()
    options = {
        "x264-params": "open-gop=1:keyint=8:min-keyint=8:bframes=2:b-adapt=0:b-pyramid=0:scenecut=0",
        "crf": "12",
    }
    encode(folder / "open.mp4", frames, options=options)
    cut_without_encoding(folder / "open.mp4", folder / "cut.mp4", first_shown=9, first_key=1)
    return Clip(folder / "cut.mp4", frames[9:], 25.0, frozenset({"torchcodec"}))


def _rotated(degrees: int) -> Callable[[Path], Clip]:
    def make(folder: Path) -> Clip:
        upright = ramp_frames(12)
        stored = torch.rot90(upright, -degrees // 90, dims=(2, 3))  # players turn it back, counter-clockwise
        encode(folder / f"rotated{degrees}.mp4", stored, rotation=degrees, options={"crf": "12"})
        return Clip(folder / f"rotated{degrees}.mp4", upright, 25.0)

    return make


def _copy(source: Path, path: Path, change: Callable[[int, bytes, bool], bytes | None]) -> None:
    """Copy packets; ``change`` gets a packet's place, data and whether it is a key, and gives None to remove it."""
    av = pytest.importorskip("av")
    with av.open(str(source)) as container, av.open(str(path), "w") as target:
        stream = container.streams.video[0]
        copy = target.add_stream_from_template(stream)
        for i, packet in enumerate(packet for packet in container.demux(stream) if packet.size):
            data = change(i, bytes(packet), packet.is_keyframe)
            if data is None:
                continue
            changed = av.Packet(data)
            changed.pts, changed.dts, changed.time_base = packet.pts, packet.dts, packet.time_base
            changed.duration, changed.is_keyframe, changed.stream = packet.duration, packet.is_keyframe, copy
            target.mux(changed)


def _from_second_key() -> Callable[[int, bytes, bool], bytes | None]:
    keys: list[int] = []

    def change(i: int, data: bytes, is_key: bool) -> bytes | None:
        if is_key:
            keys.append(i)
        return data if len(keys) > 1 else None

    return change


def _cut_in_open_group(folder: Path) -> Clip:
    """The second key frame is shown after two frames that refer to the group before, which is not there."""
    frames = ramp_frames()
    options = {
        "x264-params": "open-gop=1:keyint=8:min-keyint=8:bframes=2:b-adapt=0:b-pyramid=0:scenecut=0",
        "crf": "12",
    }
    encode(folder / "open.mkv", frames, options=options)
    _copy(folder / "open.mkv", folder / "cut.mkv", _from_second_key())
    return Clip(folder / "cut.mkv", frames[8:], 25.0, frozenset({"decord", "torchcodec"}))


def _cut_in_open_group_program_stream(folder: Path) -> Clip:
    frames = ramp_frames()
    options = {"g": "9", "bf": "2", "qmin": "2", "qmax": "2", "sc_threshold": "1000000000"}
    encode(folder / "open.ts", frames, codec="mpeg2video", options=options)
    _copy(folder / "open.ts", folder / "cut.mpg", _from_second_key())
    return Clip(folder / "cut.mpg", frames[9:], 25.0, frozenset({"decord", "torchcodec"}))


def _cut_inside_group(folder: Path) -> Clip:
    frames = ramp_frames()
    encode(folder / "whole.mkv", frames, options={"x264-params": "keyint=8:scenecut=0:bframes=0", "crf": "12"})
    _copy(folder / "whole.mkv", folder / "cut.mkv", lambda i, data, is_key: data if i >= 5 else None)
    return Clip(folder / "cut.mkv", frames[8:], 25.0, frozenset({"decord", "torchcodec"}))


def _gradual_refresh(folder: Path) -> Clip:
    """Key frames that are not right before some frames later."""
    frames = ramp_frames(height=64, width=128)
    options = {"x264-params": "intra-refresh=1:keyint=12:bframes=0:scenecut=0", "crf": "12"}
    encode(folder / "refresh.mp4", frames, options=options)
    return Clip(folder / "refresh.mp4", frames, 25.0, frozenset({"torchcodec"}))


def _empty_mpeg4_frames(folder: Path) -> Clip:
    """As Xvid writes them in place of a frame that equals the last one: a header that says "not coded"."""
    empty = (5, 6, 20)
    frames = ramp_frames()
    for t in empty:
        frames[t] = frames[t - 1]
    write_video(folder / "full.avi", frames, codec="mpeg4", gop=8, b_frames=0, quality=2)

    def change(i: int, data: bytes, is_key: bool) -> bytes:
        if i not in empty:
            return data
        at = data.index(b"\0\0\1\xb6") + 4
        bits = "".join(f"{byte:08b}" for byte in data[at : at + 12])
        end = bits.index("0", 2) + 1 + 1 + 5 + 1  # kind, seconds, marker, time of 25 in a second, marker
        bits = bits[:end] + "0" + "0" + "1" * (-(end + 2) % 8)
        return data[:at] + int(bits, 2).to_bytes(len(bits) // 8, "big")

    _copy(folder / "full.avi", folder / "empty.avi", change)
    shown = [t for t in range(NUM_FRAMES) if t not in empty]
    return Clip(
        folder / "empty.avi",
        frames[shown],
        25 * len(shown) / NUM_FRAMES,
        frozenset({"decord", "torchcodec"}),
        shown_at=tuple(t / 25 for t in shown),
    )


def _palette(folder: Path) -> Clip:
    """8 bits with a table of colours in the header, as ImageJ and old cameras write them: rows from the bottom up."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)

    grey = ramp_frames()[:, 0]
    T, H, W = grey.shape
    frames = torch.stack([grey, 255 - grey, grey], dim=1)
    colours = b"".join(bytes((i, 255 - i, i, 0)) for i in range(256))
    main = struct.pack("<14I", 40_000, 0, 0, 0x10, T, 0, 1, 0, W, H, 0, 0, 0, 0)
    stream = b"vids" + bytes(4) + struct.pack("<IHHIIIIIIII4H", 0, 0, 0, 0, 1, 25, 0, T, W * H, 0, 0, 0, 0, W, H)
    form = struct.pack("<IiiHHIIiiII", 40, W, H, 1, 8, 0, W * H, 0, 0, 256, 0) + colours
    lists = chunk(b"LIST", b"strl" + chunk(b"strh", stream) + chunk(b"strf", form))
    pictures = [chunk(b"00db", picture.flip(0).numpy().tobytes()) for picture in grey]
    index = b"".join(b"00db" + struct.pack("<III", 0x10, 4 + i * len(pictures[0]), W * H) for i in range(T))
    parts = [
        chunk(b"LIST", b"hdrl" + chunk(b"avih", main) + lists),
        chunk(b"LIST", b"movi" + b"".join(pictures)),
        chunk(b"idx1", index),
    ]
    (folder / "palette.avi").write_bytes(chunk(b"RIFF", b"AVI " + b"".join(parts)))
    return Clip(folder / "palette.avi", frames, 25.0, frozenset({"decord", "torchcodec"}))


def _program_stream(folder: Path) -> Clip:
    """As DVDs have it: video packets between others, the first of them a while after the start of the clock."""
    frames = grainy_frames(40)
    options = {"g": "12", "bf": "2", "qmin": "2", "qmax": "2"}
    encode(folder / "dvd.vob", frames, codec="mpeg2video", options=options, container_format="vob")
    return Clip(folder / "dvd.vob", frames, 25.0, frozenset({"decord", "torchcodec"}))


def _raw_motion_jpeg(folder: Path) -> Clip:
    """JPEG pictures one after the other, as network cameras send them: no index, no times, and FFmpeg cannot seek."""
    frames = grainy_frames()
    bgr = frames.flip(1).permute(0, 2, 3, 1).contiguous().numpy()
    pictures = [cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes() for picture in bgr]
    (folder / "camera.mjpeg").write_bytes(b"".join(pictures))
    return Clip(folder / "camera.mjpeg", frames, 25.0, frozenset({"decord", "torchcodec"}))


MAKERS: dict[str, Callable[[Path], Clip]] = {
    "h264 with B-frames and a long GOP": _h264_b_frames_long_gop,
    "h264 with short GOPs at 29.97 fps": _h264_short_gop,
    "h264 with open GOPs": _h264_open_gop,
    "h264 in flv": _h264_flash_video,
    "h264 in ts": _h264_transport_stream,
    "h264 in avi": _h264_in_avi,
    "h264 of odd size": _h264_odd_size,
    "h264 whose rows are padded": _h264_narrow,
    "mpeg4": _mpeg4,
    "mpeg4 with B-frames": _mpeg4_b_frames,
    "mpeg4 with B-frames in avi": _mpeg4_b_frames_avi,
    "mjpeg of odd size": _mjpeg_odd_size,
    "lossless": _lossless,
    "variable rate": _variable_rate,
    "cut without encoding": _cut,
    "cut without encoding, open groups": _cut_with_open_groups,
    "cut in an open group": _cut_in_open_group,
    "cut in an open group, program stream": _cut_in_open_group_program_stream,
    "cut inside a group": _cut_inside_group,
    "h264 with a gradual refresh": _gradual_refresh,
    "mpeg4 with empty frames": _empty_mpeg4_frames,
    "8 bits with a palette": _palette,
    "mpeg program stream": _program_stream,
    "raw motion jpeg": _raw_motion_jpeg,
    "rotated by 90": _rotated(90),
    "rotated by 180": _rotated(180),
    "rotated by 270": _rotated(270),
}


@pytest.fixture(scope="session")
def clip_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Clip]:
    """The clip of a name in ``MAKERS``, encoded when it is first asked for."""
    made: dict[str, Clip] = {}

    def clip(name: str) -> Clip:
        if name not in made:
            made[name] = MAKERS[name](tmp_path_factory.mktemp("clip"))
        return made[name]

    return clip


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes ``clip_name`` once for every kind of file."""
    if "clip_name" in metafunc.fixturenames:
        metafunc.parametrize("clip_name", MAKERS)


@pytest.fixture
def clip(clip_name: str, clip_of: Callable[[str], Clip]) -> Clip:
    """One kind of file after the other."""
    return clip_of(clip_name)

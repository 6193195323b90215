"""Frames -> a video file, complete or not there at all, and the same bytes every time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vidcls.files import atomic_write
from vidcls.video.containers import import_av
from vidcls.video.video_reader import array_of

if TYPE_CHECKING:
    from torch import Tensor

DEFAULT_FPS = 25.0
"""Frames per second where a file states none."""

VideoCodec = Literal["h264", "mpeg4", "mjpeg", "ffv1"]
Frame: TypeAlias = "Tensor | NDArray[np.uint8]"
"""One picture ``(3, H, W)`` uint8 RGB."""


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """Mono sound.

    Args:
        samples: ``(N,)`` float32, -1 to 1.
        rate_hz: samples per second.
    """

    samples: NDArray[np.float32]
    rate_hz: int


@dataclass(frozen=True, slots=True)
class _Encoder:
    """How one codec is driven."""

    name: str
    pixel_format: str
    pixel_format_odd_size: str
    default_quality: int
    qualities: range  # empty where the codec has no such scale
    has_key_frames_only: bool


# Colour is kept at half the width and height (4:2:0) where both are even: what every player and browser shows.
_ENCODERS: dict[VideoCodec, _Encoder] = {
    "h264": _Encoder("libx264", "yuv420p", "yuv444p", 18, range(52), False),
    "mpeg4": _Encoder("mpeg4", "yuv420p", "yuv420p", 3, range(1, 32), False),
    "mjpeg": _Encoder("mjpeg", "yuvj420p", "yuvj444p", 3, range(1, 32), True),
    "ffv1": _Encoder("ffv1", "bgr0", "bgr0", 0, range(0), True),
}
_SOUND_CODEC, _SOUND_FRAME_LEN = "aac", 1024
_CONTAINERS = {".mp4": "mp4", ".mov": "mov", ".avi": "avi", ".mkv": "matroska"}


def write_video(
    path: str | PathLike[str],
    frames: Iterable[Frame],
    *,
    fps: float = DEFAULT_FPS,
    codec: VideoCodec = "h264",
    quality: int | None = None,
    gop: int | None = None,
    b_frames: int | None = None,
    sound: Sound | None = None,
) -> None:
    """Write frames to a video file; the suffix ``.mp4``, ``.mov``, ``.avi`` or ``.mkv`` names the container.

    The file appears complete or not at all, and replaces an older one of that name; its folder is made where missing.
    The same frames and arguments give the same bytes: encoding runs on one thread, and no date is written. Frames of
    odd width or height keep their full colour in H.264 and MJPEG, which some players cannot show.

    Args:
        path: the file to write.
        frames: ``(T, 3, H, W)`` uint8 RGB, a tensor or an array, or any iterable of ``(3, H, W)`` frames of one size.
        fps: frames per second.
        codec: h264 and mpeg4 are small, mjpeg has key frames only, ffv1 is lossless (.avi and .mkv only).
        quality: the codec's own scale, smaller is better: 0 to 51 for h264 (CRF, 18 where None), 1 to 31 for mpeg4 and
            mjpeg (3 where None); ffv1 has none.
        gop: most frames from one key frame to the next, for h264 and mpeg4; the encoder's choice where None.
        b_frames: most frames in a row that are predicted from both sides, for h264 and mpeg4; the encoder's choice
            where None.
        sound: what is heard from the first frame on, written as AAC; None writes no sound track.

    Raises:
        ValueError: an argument is not allowed, or does nothing for this codec; nothing is written.
        OSError: the file cannot be written, such as on a full disk; nothing half-written is left.
    """
    path = Path(path)
    _check_names(path, codec)
    options = _encoder_options(codec, quality, gop, b_frames)
    rate = Fraction(fps).limit_denominator(60_000)  # exact for 30000/1001; MPEG-4 allows no finer clock
    if rate <= 0:
        raise ValueError(f"fps is {fps}; it must be above 0")
    if sound is not None and path.suffix.lower() == ".avi":
        raise ValueError(f"{path}: AAC does not go into .avi; use .mp4, .mov or .mkv, or leave out the sound")
    with atomic_write(path) as temporary:
        _encode(temporary, _checked_frames(frames), codec, rate, options, sound)


def _encode(
    path: Path,
    frames: Iterator[Frame],
    codec: VideoCodec,
    rate: Fraction,
    options: dict[str, str],
    sound: Sound | None,
) -> None:
    av = import_av()
    first = next(frames)
    H, W = first.shape[1:]
    encoder = _ENCODERS[codec]
    with av.open(str(path), "w", format=_CONTAINERS[path.suffix.lower()], options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream(encoder.name, rate=rate, options=options)
        stream.width, stream.height = W, H
        stream.pix_fmt = encoder.pixel_format_odd_size if H % 2 or W % 2 else encoder.pixel_format
        stream.codec_context.thread_count = 1
        heard = None if sound is None else container.add_stream(_SOUND_CODEC, rate=sound.rate_hz, layout="mono")
        if heard is not None:
            heard.codec_context.options = {"flags": "+bitexact"}
        for index, rgb in enumerate(chain([first], frames)):
            pixels = np.ascontiguousarray(array_of(rgb).transpose(1, 2, 0))  # (H, W, 3)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = index, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None and heard is not None:
            frame = av.AudioFrame.from_ndarray(sound.samples[None], format="fltp", layout="mono")
            frame.sample_rate, frame.time_base, frame.pts = sound.rate_hz, Fraction(1, sound.rate_hz), 0
            to_format = av.AudioResampler("fltp", "mono", sound.rate_hz, frame_size=_SOUND_FRAME_LEN)
            for given in (frame, None):
                for part in to_format.resample(given):
                    container.mux(heard.encode(part))
            container.mux(heard.encode(None))


def _encoder_options(codec: VideoCodec, quality: int | None, gop: int | None, b_frames: int | None) -> dict[str, str]:
    """The options in FFmpeg's words."""
    encoder = _ENCODERS[codec]
    if quality is not None and quality not in encoder.qualities:
        allowed = f"{encoder.qualities.start} to {encoder.qualities.stop - 1}" if encoder.qualities else "None alone"
        raise ValueError(f"quality is {quality}; allowed for {codec} is {allowed}")
    for name, value, least in (("gop", gop, 1), ("b_frames", b_frames, 0)):
        if value is not None and encoder.has_key_frames_only:
            raise ValueError(f"{name} is {value}, but {codec} has key frames only; remove it")
        if value is not None and value < least:
            raise ValueError(f"{name} is {value}; it must be {least} or more")
    quality = encoder.default_quality if quality is None else quality
    options = {"flags": "+bitexact"}
    if codec == "h264":
        options["crf"] = str(quality)
        options["mbtree"] = "0"  # with it x264 writes one file in a thousand with other bytes, on one thread too
    elif encoder.qualities:
        options |= {"qmin": str(quality), "qmax": str(quality)}
    if gop is not None:
        options["g"] = str(gop)
    if b_frames is not None:
        options["bf"] = str(b_frames)
    return options


def _check_names(path: Path, codec: str) -> None:
    if path.suffix.lower() not in _CONTAINERS:
        raise ValueError(f"{path}: suffix is {path.suffix!r}; allowed are {', '.join(_CONTAINERS)}")
    if codec not in _ENCODERS:
        raise ValueError(f"codec is {codec!r}; allowed are {', '.join(_ENCODERS)}")
    if codec == "ffv1" and path.suffix.lower() in (".mp4", ".mov"):
        raise ValueError(f"{path}: codec ffv1 does not go into {path.suffix}; use .mkv or .avi")


def _checked_frames(frames: Iterable[Frame]) -> Iterator[Frame]:
    """The frames one by one; an error where there is none, or one is no RGB frame or of another size."""
    shape = None
    for index, frame in enumerate(frames):
        if str(frame.dtype).removeprefix("torch.") != "uint8" or frame.ndim != 3 or frame.shape[0] != 3:
            raise ValueError(f"frame {index} is {tuple(frame.shape)} {frame.dtype}; it must be (3, H, W) uint8")
        shape = shape or frame.shape
        if frame.shape != shape:
            raise ValueError(f"frame {index} is {tuple(frame.shape)}, the first is {tuple(shape)}; all must be alike")
        yield frame
    if shape is None:
        raise ValueError("there are no frames to write; pass at least one")

"""A video file -> spans of its sound, mono, in the time of its pictures.

The clocks of pictures and sound are those of the file: where the sound track begins later than the first frame, or
earlier, its samples lie as much later or earlier::

    pictures        |0  1  2  3  4  5 ...       0 s is when the first frame is shown
    sound track     .....|~~~~~~~~~~~~~~~~|     what lies before and after it is silence
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from vidcls.errors import DecodeError
from vidcls.video.containers import ffmpeg_reason, import_av, open_container
from vidcls.video.packets import list_packets
from vidcls.video.source import FramesInMemory, VideoSource

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer

SAMPLE_RATE_HZ = 16_000
MOST_SECONDS = 3600.0
"""Of a span: settings may come from a stranger's file."""
_MARGIN_SECONDS = 0.05  # on either side of a span, which the filter of the resampler reaches into
_PRE_ROLL_SECONDS = (
    0.5  # decoded before a span and thrown away: after a seek the first packets of a codec are not right
)
_SAME_PLACE_SECONDS = 0.01  # Matroska rounds times to 1 ms; a lost packet of AAC leaves a gap of 21 ms

Samples: TypeAlias = NDArray[np.float32]
"""Sound ``(N,)``, -1 to 1."""


class _Piece(NamedTuple):
    """What a packet decodes to."""

    start_seconds: float | None  # in the time of the file
    samples: Samples
    rate_hz: int


def has_sound(source: VideoSource) -> bool:
    """Whether a video has a sound track; opens the file and decodes nothing.

    Raises:
        DecodeError: the file cannot be opened; says which.
    """
    if isinstance(source, FramesInMemory):
        return False
    try:
        with source.local_file() as path, open_container(path) as container:
            return _best_sound(container) is not None
    except DecodeError as error:
        raise DecodeError(f"{source}: {error}", reason=str(error)) from error


def sound_between(
    source: VideoSource, spans: Sequence[tuple[float, float]], *, within: tuple[float, float] | None = None
) -> list[Samples] | None:
    """The sound of spans of a video, mono at 16 kHz, as a mean over the channels; None where it has no sound track.

    Args:
        source: the video.
        spans: from when to when, in seconds after its first frame is shown; may reach beyond both ends of the sound.
        within: from when to when anything is heard; None for all of the sound track.

    Returns:
        for each span ``(N,)`` samples, N being its length at 16 kHz, rounded; silence where there is no sound.

    Raises:
        DecodeError: the file or its sound cannot be read; says which.
    """
    if isinstance(source, FramesInMemory):
        return None
    try:
        with source.local_file() as path:
            with open_container(path) as container:
                if _best_sound(container) is None:
                    return None
            found = [_span(path, start, end) for start, end in spans]
    except import_av().FFmpegError as error:
        reason = f"its sound cannot be decoded ({ffmpeg_reason(error)})"
        raise DecodeError(f"{source}: {reason}", reason=reason) from error
    except DecodeError as error:
        raise DecodeError(f"{source}: {error}", reason=str(error)) from error
    if within is not None:
        for samples, (start, _) in zip(found, spans, strict=True):
            first, stop = (max(0, round((seconds - start) * SAMPLE_RATE_HZ)) for seconds in within)
            samples[:first] = 0.0
            samples[stop:] = 0.0
    return found


def _span(path: Path, start: float, end: float) -> Samples:
    if not 0 < end - start <= MOST_SECONDS:
        raise ValueError(f"a span of sound must last up to {MOST_SECONDS:g} s, got {start:g} to {end:g}")
    num_samples, margin = round((end - start) * SAMPLE_RATE_HZ), round(_MARGIN_SECONDS * SAMPLE_RATE_HZ)
    first = _first_frame_seconds(path) + start - _MARGIN_SECONDS  # in the time of the file
    last = first + (num_samples + 2 * margin) / SAMPLE_RATE_HZ
    pieces = _pieces(path, first, last)
    found = np.zeros(num_samples + 2 * margin, np.float32)
    if pieces:
        laid = _resampled(_laid(pieces, first, last), pieces[0].rate_hz)[: len(found)]
        found[: len(laid)] = laid
    return found[margin : margin + num_samples]


def _pieces(path: Path, first: float, last: float) -> list[_Piece]:
    """What is heard between two times of the file, and a little before."""
    for seeks in (True, False):
        with open_container(path) as container:
            stream = _best_sound(container)
            assert stream is not None
            begin = float((stream.start_time or 0) * stream.time_base) if stream.time_base else 0.0
            wanted = first - _PRE_ROLL_SECONDS
            is_far = stream.time_base is not None and wanted > begin + 2 * _PRE_ROLL_SECONDS
            if seeks and is_far:
                assert stream.time_base is not None
                try:
                    container.seek(int(wanted / stream.time_base), stream=stream)
                except import_av().FFmpegError:
                    continue  # such a file is decoded from its start
            found: list[_Piece] = []
            for piece in _decoded(container, stream):
                if piece.start_seconds is not None and piece.start_seconds >= last:
                    break
                found.append(piece)
            is_late = not found or found[0].start_seconds is None or found[0].start_seconds > first
            if not (seeks and is_far and is_late):
                return found
    return found


def _decoded(container: InputContainer, stream: AudioStream) -> Iterator[_Piece]:
    for frame in container.decode(stream):
        seconds = None if frame.pts is None or frame.time_base is None else float(frame.pts * frame.time_base)
        yield _Piece(seconds, _mono(frame), int(frame.sample_rate))


def _laid(pieces: Sequence[_Piece], first: float, last: float) -> Samples:
    """Samples of the rate of the file from one time to another, each piece where its time stamp says.

    Raises:
        DecodeError: the rate changes.
    """
    rate = pieces[0].rate_hz
    line = np.zeros(round((last - first) * rate), np.float32)
    expected: int | None = None  # where the piece before ends
    for piece in pieces:
        if piece.rate_hz != rate:
            raise DecodeError(f"its sound changes from {rate} to {piece.rate_hz} Hz: convert it to one sample rate")
        place = expected
        if piece.start_seconds is not None:
            stated = round((piece.start_seconds - first) * rate)
            if place is None or abs(stated - place) > _SAME_PLACE_SECONDS * rate:
                place = stated
        place = round(-first * rate) if place is None else place  # without time stamps it begins with the file
        begin, end = max(0, place), min(len(line), place + len(piece.samples))
        if end > begin:
            line[begin:end] = piece.samples[begin - place : end - place]
        expected = place + len(piece.samples)
    return line


def _mono(frame: AudioFrame) -> Samples:
    """The mean over the channels of a frame, -1 to 1 whatever the format of its samples."""
    values = frame.to_ndarray()  # (channels, N) planar, else (1, N * channels)
    if not frame.format.is_planar:
        values = values.reshape(-1, len(frame.layout.channels)).T
    scaled: NDArray[np.float32]
    if values.dtype == np.uint8:
        scaled = (values.astype(np.float32) - np.float32(128)) / np.float32(128)
    elif values.dtype.kind == "i":
        scaled = values.astype(np.float32) / np.float32(2.0 ** (8 * values.dtype.itemsize - 1))
    else:
        scaled = values.astype(np.float32)
    mono: Samples = scaled.mean(axis=0, dtype=np.float32)
    return mono


def _resampled(samples: Samples, rate_hz: int) -> Samples:
    """At 16 kHz, in the same time."""
    if rate_hz == SAMPLE_RATE_HZ:
        return samples
    av = import_av()
    frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
    frame.sample_rate = rate_hz
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ)
    parts = [part.to_ndarray()[0] for given in (frame, None) for part in resampler.resample(given)]
    found: Samples = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    return found


def _best_sound(container: InputContainer) -> AudioStream | None:
    """The sound track that players take; None where there is none.

    Raises:
        DecodeError: it has a codec that is not known.
    """
    stream = cast("AudioStream | None", container.streams.best("audio"))
    if stream is not None and stream.codec_context is None:
        raise DecodeError("its sound has a codec that FFmpeg does not know")
    return stream


def _first_frame_seconds(path: Path) -> float:
    """When the first frame is shown, in the time of the file; kept for files seen before."""
    stat = path.stat()
    return _first_frame_of_version(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=65_536)
def _first_frame_of_version(path: Path, mtime_ns: int, num_bytes: int) -> float:  # noqa: ARG001
    packets = list_packets(path)
    return float(packets.pts[0] * packets.clock) if packets.pts else 0.0  # without time stamps both begin with the file

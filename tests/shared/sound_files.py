"""Video files with a sound track of a known answer: a click in the time of the pictures, or a tone."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from vidcls.video.sound import Samples

TICKS = 1000  # per second, of the pictures


def click(*, at_seconds: float, seconds: float, rate_hz: int) -> Samples:
    """Silence but for 8 samples."""
    samples = np.zeros(round(seconds * rate_hz), np.float32)
    place = round(at_seconds * rate_hz)
    samples[place : place + 8] = 0.9
    return samples


def tone(hertz: float, *, seconds: float, rate_hz: int) -> Samples:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(np.float32)


def write_with_sound(
    path: Path,
    sound: Samples | Sequence[Samples],
    *,
    frame_seconds: Sequence[float],
    rate_hz: int,
    sound_starts: float = 0.0,
    video_codec: str = "libx264",
    sound_codec: str = "aac",
    layout: str = "mono",
) -> Path:
    """Frames at these times and a sound track from ``sound_starts`` on, in the time of the file."""
    with av.open(str(path), "w") as container:
        pictures = container.add_stream(video_codec, rate=25)
        pictures.width, pictures.height, pictures.pix_fmt = 32, 32, "yuv420p"
        pictures.codec_context.time_base = Fraction(1, TICKS)
        heard = container.add_stream(sound_codec, rate=rate_hz, layout=layout)
        for number, seconds in enumerate(frame_seconds):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 5 * number % 256, np.uint8), format="rgb24")
            frame.pts, frame.time_base = round(seconds * TICKS), Fraction(1, TICKS)
            container.mux(pictures.encode(frame))
        container.mux(pictures.encode(None))
        num_channels = len(heard.layout.channels)
        samples = np.tile(sound, (num_channels, 1)) if isinstance(sound, np.ndarray) else np.stack(sound)
        whole = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=layout)
        whole.sample_rate, whole.time_base = rate_hz, Fraction(1, rate_hz)
        whole.pts = round(sound_starts * rate_hz)
        frame_size = heard.codec_context.frame_size or 1024
        to_format = av.AudioResampler(heard.format.name, layout, rate_hz, frame_size=frame_size)
        for given in (whole, None):
            for frame in to_format.resample(given):
                container.mux(heard.encode(frame))
        container.mux(heard.encode(None))
    return path

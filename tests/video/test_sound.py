"""The sound of a span of a video is that of the file, in the time of its pictures."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from sound_files import click, tone, write_with_sound

from vidcls.errors import DecodeError
from vidcls.video import LocalFile, write_video
from vidcls.video.sound import SAMPLE_RATE_HZ, has_sound, sound_between
from vidcls.video.source import FramesInMemory, source_of

CLICK = 2.345  # seconds after the first frame
EVEN = [k / 25 for k in range(100)]
UNEVEN = [*(k / 50 for k in range(50)), *(1 + k / 10 for k in range(30))]
FILES = {
    "mp4, aac, 44.1 kHz, stereo": ("a.mp4", "libx264", "aac", 44_100, "stereo"),
    "mp4, mp3, 48 kHz": ("b.mp4", "libx264", "libmp3lame", 48_000, "mono"),
    "mkv, 8 bits, 44.1 kHz": ("c.mkv", "libx264", "pcm_u8", 44_100, "mono"),
    "mkv, 16 bits, 16 kHz": ("d.mkv", "libx264", "pcm_s16le", 16_000, "mono"),
    "mkv, aac, 5.1": ("e.mkv", "libx264", "aac", 48_000, "5.1"),
    "mkv, flac, stereo": ("f.mkv", "libx264", "flac", 48_000, "stereo"),
    "webm, opus": ("g.webm", "libvpx", "libopus", 48_000, "stereo"),
    "mov, 16 bits": ("h.mov", "libx264", "pcm_s16le", 48_000, "stereo"),
    "ts, aac": ("i.ts", "libx264", "aac", 48_000, "stereo"),
}


def loudest_seconds(samples: np.ndarray, start: float) -> float:
    return start + float(np.abs(samples).argmax()) / SAMPLE_RATE_HZ


def written(
    path: Path, *, pictures_start: float, sound_starts: float, times: list[float] = EVEN, **how: object
) -> Path:
    rate_hz = int(str(how["rate_hz"]))
    sound = click(at_seconds=CLICK + pictures_start - sound_starts, seconds=4.5, rate_hz=rate_hz)
    frame_seconds = [pictures_start + seconds for seconds in times]
    return write_with_sound(path, sound, frame_seconds=frame_seconds, sound_starts=sound_starts, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("of_file", FILES.values(), ids=FILES)
def test_a_click_is_where_it_is_in_the_time_of_the_pictures(
    of_file: tuple[str, str, str, int, str], tmp_path: Path
) -> None:
    name, video_codec, sound_codec, rate_hz, layout = of_file
    for pictures_start, sound_starts in ((0.0, 0.0), (0.0, 0.5), (0.5, 0.0), (1.0, 0.3)):
        path = written(
            tmp_path / f"{pictures_start}-{sound_starts}-{name}",
            pictures_start=pictures_start,
            sound_starts=sound_starts,
            rate_hz=rate_hz,
            video_codec=video_codec,
            sound_codec=sound_codec,
            layout=layout,
        )
        starts = (2.0, 0.0, -1.0, 2.3)  # by a seek, from the start, and where nothing is heard yet
        found = sound_between(LocalFile(path), [(start, start + 3.5) for start in starts])
        assert found is not None
        for start, samples in zip(starts, found, strict=True):
            assert samples.shape == (3.5 * SAMPLE_RATE_HZ,)
            assert samples.dtype == np.float32
            assert loudest_seconds(samples, start) == pytest.approx(CLICK, abs=0.002), (path.name, start)


def test_a_click_is_where_it_is_in_a_video_of_variable_frame_rate(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mp4", pictures_start=0.2, sound_starts=0.0, times=UNEVEN, rate_hz=48_000)
    (samples,) = sound_between(LocalFile(path), [(2.0, 3.0)]) or ()
    assert loudest_seconds(samples, 2.0) == pytest.approx(CLICK, abs=0.002)


def test_what_lies_before_and_after_the_sound_is_silence(tmp_path: Path) -> None:
    sound = np.full(16_000, 0.5, np.float32)
    path = write_with_sound(
        tmp_path / "a.mkv", sound, frame_seconds=EVEN, rate_hz=16_000, sound_starts=0.5, sound_codec="pcm_s16le"
    )
    (samples,) = sound_between(LocalFile(path), [(-1.0, 3.0)]) or ()
    is_heard = np.abs(samples) > 0.25
    assert np.flatnonzero(is_heard)[[0, -1]] / SAMPLE_RATE_HZ == pytest.approx([1.5, 2.5], abs=0.002)
    assert is_heard.sum() == pytest.approx(16_000, abs=20)
    assert samples[is_heard].mean() == pytest.approx(0.5, abs=1e-3)


def test_nothing_is_heard_outside_of_a_part(tmp_path: Path) -> None:
    sound = np.full(64_000, 0.5, np.float32)
    path = write_with_sound(tmp_path / "a.mkv", sound, frame_seconds=EVEN, rate_hz=16_000, sound_codec="pcm_s16le")
    (samples,) = sound_between(LocalFile(path), [(1.0, 3.0)], within=(1.5, 2.0)) or ()
    assert np.flatnonzero(samples)[[0, -1]].tolist() == [8_000, 15_999]


def test_several_channels_are_heard_as_their_mean(tmp_path: Path) -> None:
    left, right = np.full(32_000, 0.6, np.float32), np.full(32_000, -0.2, np.float32)
    path = write_with_sound(
        tmp_path / "a.mkv", [left, right], frame_seconds=EVEN, rate_hz=16_000, sound_codec="pcm_s16le", layout="stereo"
    )
    (samples,) = sound_between(LocalFile(path), [(0.5, 1.0)]) or ()
    np.testing.assert_allclose(samples, 0.2, atol=1e-4)


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 48_000])
def test_a_tone_keeps_its_pitch_and_loudness_at_another_rate(rate_hz: int, tmp_path: Path) -> None:
    path = write_with_sound(
        tmp_path / "a.mkv",
        tone(1000.0, seconds=2.0, rate_hz=rate_hz),
        frame_seconds=EVEN,
        rate_hz=rate_hz,
        sound_codec="pcm_s16le",
    )
    (samples,) = sound_between(LocalFile(path), [(0.5, 1.5)]) or ()
    expected = tone(1000.0, seconds=2.0, rate_hz=SAMPLE_RATE_HZ)[8_000:24_000]
    np.testing.assert_allclose(samples, expected, atol=0.02)


def test_bytes_in_memory_have_the_sound_of_their_file(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mp4", pictures_start=0.0, sound_starts=0.0, rate_hz=44_100)
    of_file = sound_between(LocalFile(path), [(2.0, 3.0)])
    of_bytes = sound_between(source_of(path.read_bytes()), [(2.0, 3.0)])
    assert of_file is not None
    assert of_bytes is not None
    np.testing.assert_array_equal(of_file[0], of_bytes[0])


def test_a_video_without_a_sound_track_has_none(tmp_path: Path) -> None:
    frames = np.zeros((5, 3, 32, 32), np.uint8)
    write_video(tmp_path / "a.mp4", frames)
    for source in (LocalFile(tmp_path / "a.mp4"), FramesInMemory(frames)):
        assert not has_sound(source)
        assert sound_between(source, [(0.0, 1.0)]) is None
    assert has_sound(LocalFile(written(tmp_path / "b.mp4", pictures_start=0.0, sound_starts=0.0, rate_hz=16_000)))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"not a video")
    for ask in (has_sound, lambda source: sound_between(source, [(0.0, 1.0)])):
        with pytest.raises(DecodeError, match=r"a\.mp4: "):
            ask(LocalFile(tmp_path / "a.mp4"))


def test_damaged_sound_is_an_error_and_not_silence(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mkv", pictures_start=0.0, sound_starts=0.0, rate_hz=48_000, sound_codec="flac")
    content = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        places = [packet.pos for packet in container.demux(audio=0) if packet.size]
    for place in places[8:]:
        content[place + 8 : place + 24] = bytes(16)
    path.write_bytes(content)
    with pytest.raises(DecodeError, match=r"a\.mkv: its sound cannot be decoded"):
        sound_between(LocalFile(path), [(0.0, 4.0)])


def test_a_span_that_cannot_be_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mp4", pictures_start=0.0, sound_starts=0.0, rate_hz=16_000)
    for span in ((1.0, 1.0), (0.0, 1e9)):
        with pytest.raises(ValueError, match="a span of sound must last up to"):
            sound_between(LocalFile(path), [span])

"""A model that hears is given the sound around the middle of each snippet, which no change of pictures touches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sound_files import click, tone, write_with_sound

from vidcls.clips.log_mel import NUM_BANDS, SILENCE, band_of
from vidcls.clips.reader import ClipReader
from vidcls.clips.settings import InputSettings
from vidcls.clips.views import stack_views, views_of
from vidcls.flow import FlowSettings
from vidcls.inference import NetworkInput
from vidcls.transforms import TransformSettings, augmented, train_crop
from vidcls.types import ClipSettings, Stream, VideoRecord
from vidcls.video import LocalFile, write_video
from vidcls.video_part import VideoPart

EVEN = [k / 25 for k in range(100)]


def settings(clip: ClipSettings, *, streams: tuple[str, ...] = ("rgb", "audio"), **more: object) -> InputSettings:
    transform = TransformSettings(resize_px=32, crop_px=16, train_crop="random", flip_probability=1.0)
    flow = FlowSettings() if "flow" in streams else None
    return InputSettings(streams, clip, **{"transform": transform, "flow_settings": flow, **more})  # type: ignore[arg-type]


def record_of(path: Path, part: VideoPart | None = None) -> VideoRecord:
    return VideoRecord(LocalFile(path), "a", "train", path.name).with_part(part)


def clicking(path: Path, at_seconds: float, **how: object) -> Path:
    sound = click(at_seconds=at_seconds, seconds=4.0, rate_hz=16_000)
    return write_with_sound(path, sound, rate_hz=16_000, sound_codec="pcm_s16le", frame_seconds=EVEN, **how)  # type: ignore[arg-type]


def test_the_window_is_centred_on_the_frames_of_the_clip(tmp_path: Path) -> None:
    """Four frames, 48 to 51, are shown from 1.92 to 2.08 s: their middle is at 2 s, the window from 1.5 to 2.5 s."""
    path = clicking(tmp_path / "a.mkv", 2.2051)
    reader = ClipReader(settings(ClipSettings(clip_len=4), audio_seconds=1.0))
    (clip,) = reader.test_clips(record_of(path))
    assert clip["audio"].shape == (1, 1, NUM_BANDS, 100)
    assert clip["audio"].dtype == torch.float32
    assert int(clip["audio"].sum(dim=2).argmax()) == 70


def test_each_snippet_has_a_spectrogram_of_its_own(tmp_path: Path) -> None:
    path = clicking(tmp_path / "a.mkv", 3.5051)
    reader = ClipReader(settings(ClipSettings(num_snippets=4), audio_seconds=0.5))
    (clip,) = reader.test_clips(record_of(path))
    assert clip["audio"].shape == (4, 1, NUM_BANDS, 50)
    loudest = (clip["audio"] - SILENCE).flatten(1).amax(dim=1)
    assert [bool(value > 1) for value in loudest] == [False, False, False, True]


def test_flow_beside_it_changes_nothing(tmp_path: Path) -> None:
    path = clicking(tmp_path / "a.mkv", 2.0)
    clip = ClipSettings(flow_len=2)
    plain = ClipReader(settings(clip)).test_clips(record_of(path))[0]
    with_flow = ClipReader(settings(clip, streams=("rgb", "flow", "audio"))).test_clips(record_of(path))[0]
    assert list(with_flow) == ["rgb", "flow", "audio"]
    assert torch.equal(plain["audio"], with_flow["audio"])


def test_of_a_part_nothing_beyond_its_ends_is_heard(tmp_path: Path) -> None:
    path = clicking(tmp_path / "a.mkv", 2.2)
    reader = ClipReader(settings(ClipSettings(), audio_seconds=1.0))
    for end, is_heard in ((2.5, True), (2.1, False)):
        (clip,) = reader.test_clips(record_of(path, VideoPart(1.9, end)))
        assert bool((clip["audio"] > SILENCE + 1).any()) is is_heard


def test_a_tone_is_in_its_band(tmp_path: Path) -> None:
    path = write_with_sound(
        tmp_path / "a.mp4", tone(1500.0, seconds=4.0, rate_hz=48_000), frame_seconds=EVEN, rate_hz=48_000
    )
    (clip,) = ClipReader(settings(ClipSettings())).test_clips(record_of(path))
    assert set(clip["audio"].argmax(dim=2).flatten().tolist()) == {band_of(1500.0)}


def test_a_video_without_sound_is_not_silent_but_unknown(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", np.zeros((10, 3, 32, 32), np.uint8))
    chosen = settings(ClipSettings())
    (clip,) = ClipReader(chosen).test_clips(record_of(tmp_path / "a.mp4"))
    assert clip["audio"].shape == (1, 1, NUM_BANDS, 96)
    assert clip["audio"].isnan().all()
    assert NetworkInput(chosen)({"audio": clip["audio"].transpose(0, 1)})["audio"].isnan().all()


def test_crops_and_flips_leave_it_alone(tmp_path: Path) -> None:
    path = clicking(tmp_path / "a.mkv", 2.0)
    chosen = settings(ClipSettings(clip_len=2))
    (clip,) = ClipReader(chosen).test_clips(record_of(path))
    cropped, drawn = train_crop(clip, chosen.loaded_kinds, chosen.transform, seed=0)
    changed = augmented(cropped, chosen.loaded_kinds, drawn)
    assert drawn.flipped
    assert changed["rgb"].shape == (2, 3, 16, 16)
    assert torch.equal(changed["audio"], clip["audio"])
    ten = settings(ClipSettings(clip_len=2), transform=TransformSettings(resize_px=32, crop_px=16, test_crops=10))
    views = stack_views(views_of([clip], ten))
    assert views["rgb"].shape == (10, 3, 2, 16, 16)
    assert views["audio"].shape == (10, 1, 1, NUM_BANDS, 96)
    assert all(torch.equal(view[0, 0], clip["audio"][0, 0]) for view in views["audio"])


def test_silence_is_zero_for_the_network() -> None:
    silent = torch.full((2, 1, 1, NUM_BANDS, 5), SILENCE)
    fed = NetworkInput(settings(ClipSettings()))({"audio": silent})["audio"]
    assert torch.equal(fed, torch.zeros_like(silent))


def test_its_settings_are_kept_and_those_of_others_stay_what_they_were() -> None:
    heard = settings(ClipSettings(), audio_seconds=0.5)
    assert heard.to_dict()["audio_seconds"] == 0.5
    assert InputSettings.from_dict(heard.to_dict()) == heard
    seen = settings(ClipSettings(), streams=("rgb",))
    assert "audio_seconds" not in seen.to_dict()
    assert InputSettings.from_dict(seen.to_dict()) == seen


@pytest.mark.parametrize(
    ("streams", "more", "line"),
    [
        (("rgb",), {"audio_seconds": 1.0}, "audio_seconds is 1, but the model hears nothing"),
        (("audio",), {}, "needs a stream of frames or flow beside it"),
        (("rgb", "audio"), {"audio_seconds": 0.01}, "audio_seconds must lie in 0.1 to 60, got 0.01"),
        (("rgb", "audio"), {"transform": TransformSettings(speed_range=(0.5, 1.0))}, "change the time of frames"),
    ],
)
def test_settings_that_cannot_be_are_refused(streams: tuple[str, ...], more: dict[str, object], line: str) -> None:
    with pytest.raises(ValueError, match=line):
        settings(ClipSettings(), streams=streams, **more)


def test_a_stream_of_sound_takes_every_column() -> None:
    with pytest.raises(ValueError, match="has every 2, which has no effect on sound"):
        Stream("heard", "audio", every=2)

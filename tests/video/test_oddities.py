"""Real files that break decoders: frames with the fall-back, or a DecodeError that names the file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vidcls.errors import DecodeError, MissingExtraError
from vidcls.video import BACKENDS, open_video

# File, frames that can be had, upright height and width in px, codec.
READABLE = [
    ("unordered.mov", 4, 50, 50, "h264"),
    ("video_90.mov", 3, 568, 320, "h264"),
    ("av1_video.mkv", 125, 360, 640, "av1"),
    ("one_frame.mp4", 1, 256, 340, "h264"),
    ("vfr.mp4", 29, 256, 340, "h264"),
    ("start_offset_5s.ts", 56, 256, 340, "h264"),
    ("gif_10fps.gif", 10, 72, 96, "gif"),
    ("odd_size_yuv444.mp4", 28, 131, 175, "h264"),
    ("h264_10bits.mp4", 30, 200, 200, "h264"),
    ("base_faststart.mp4", 56, 256, 340, "h264"),
]
UNREADABLE = ["zeroframe_258B.mp4", "truncated_no_moov.mp4", "zero_bytes.mp4", "audio_only.mp4"]
NEEDS_THE_FALL_BACK = {"start_offset_5s.ts"}

pytestmark = pytest.mark.filterwarnings("ignore::vidcls.video.DecoderFallbackWarning")


@pytest.fixture(scope="module")
def oddities() -> Path:
    root = os.environ.get("VIDCLS_REAL_DATA")
    if not root:
        pytest.skip("VIDCLS_REAL_DATA is not set to the folder with real clips")
    return Path(root) / "oddities"


@pytest.mark.parametrize(("name", "num_frames", "height_px", "width_px", "codec"), READABLE)
def test_a_readable_file_gives_all_its_frames(oddities, name, num_frames, height_px, width_px, codec) -> None:
    with open_video(oddities / name) as video:
        assert video.num_frames == num_frames
        assert video.frames(range(num_frames)).shape == (num_frames, 3, height_px, width_px)
        assert (video.info.height_px, video.info.width_px, video.info.codec) == (height_px, width_px, codec)
        assert video.fallbacks == (name in NEEDS_THE_FALL_BACK)


@pytest.mark.parametrize("name", [row[0] for row in READABLE])
def test_each_decoder_that_reads_it_gives_the_same_frames(oddities, name) -> None:
    with open_video(oddities / name, "pyav") as video:
        indices = range(0, video.num_frames, 5)
        expected = video.frames(indices).float()
    if name in NEEDS_THE_FALL_BACK:
        pytest.skip("PyAV alone reads it")
    for backend in BACKENDS:
        try:
            video = open_video(oddities / name, backend)
        except MissingExtraError:
            continue
        with video:
            assert (video.frames(indices).float() - expected).abs().mean() <= 1


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_file_is_an_error_that_names_it(oddities, name) -> None:
    with pytest.raises(DecodeError, match=name) as caught:
        open_video(oddities / name)
    assert "\n" not in str(caught.value)


def test_a_corrupt_file_gives_the_frames_before_the_damage_and_an_error_from_there_on(oddities) -> None:
    with open_video(oddities / "corrupted.mp4") as video:
        assert video.frames(range(28)).shape == (28, 3, 720, 1280)
        for index in (28, 30, 49):
            with pytest.raises(DecodeError, match=r"corrupted\.mp4.*decord: .*; pyav: "):
                video.frames([index])
        assert video.frames([27, 0]).shape == (2, 3, 720, 1280)  # still usable after the error


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_decoder_hands_out_other_frames_for_damaged_ones(oddities, backend) -> None:
    try:
        video = open_video(oddities / "corrupted.mp4", backend)
    except MissingExtraError as error:
        pytest.skip(str(error))
    with video:
        for indices in ([28], [20, 28], [49, 3]):
            with pytest.raises(DecodeError, match=r"corrupted\.mp4"):
                video.frames(indices)

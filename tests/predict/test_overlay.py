"""Labels in the picture: where they are, when they change, and that the rest of the picture stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from opened_files import watch_decoders

from vidcls.errors import DecodeError, VidclsError
from vidcls.predict.overlay import draw_caption, overlay_path, write_overlay
from vidcls.predict.prediction import Prediction
from vidcls.video import open_video, write_video
from vidcls.video.captions import caption

NAMES = ("left", "right")


def prediction(scores: tuple[float, float], start_seconds: float, end_seconds: float) -> Prediction:
    return Prediction(Path("a.avi"), NAMES, scores, start_seconds, end_seconds, (NAMES[scores.index(max(scores))],))


@pytest.fixture
def grey_video(tmp_path: Path) -> Path:
    """30 frames of 80x160, all of brightness 100, 10 per second."""
    write_video(tmp_path / "grey.avi", torch.full((30, 3, 80, 160), 100, dtype=torch.uint8), codec="ffv1", fps=10)
    return tmp_path / "grey.avi"


def test_every_frame_shows_the_label_and_nothing_else_changes(grey_video: Path, tmp_path: Path) -> None:
    write_overlay(grey_video, [prediction((0.25, 0.75), 0, 3)], tmp_path / "out.avi")
    letters = caption("right 0.75", 80, 160)
    with open_video(tmp_path / "out.avi") as video:
        assert (video.num_frames, video.fps) == (30, 10)
        frames = video.frames(range(30))
    expected = torch.from_numpy(draw_caption(np.full((1, 3, 80, 160), 100, dtype=np.uint8), letters))
    assert (frames.float() - expected.float()).abs().mean() < 3  # H.264
    assert (frames[:, :, len(letters) + 4 :].float() - 100).abs().max() < 5
    assert letters.max() > 200
    assert letters.mean() > 5


def test_the_label_changes_between_the_windows(grey_video: Path, tmp_path: Path) -> None:
    windows = [prediction((0.9, 0.1), 0, 1), prediction((0.2, 0.8), 1, 2), prediction((0.9, 0.1), 2, 3)]
    write_overlay(grey_video, windows, tmp_path / "out.avi")
    with open_video(tmp_path / "out.avi") as video:
        tops = video.frames(range(30))[:, :, :16].float()
    distance = [(top - tops[0]).abs().mean().item() for top in tops]
    shows_right = [k for k, off in enumerate(distance) if off > 5]
    assert shows_right == list(range(10, 20))


def test_a_caption_fits_and_is_cut_short_where_it_cannot() -> None:
    for height_px, width_px in ((4, 4), (64, 64), (480, 640)):
        strip = caption("a class of a rather long name 0.50", height_px, width_px)
        assert strip.shape[0] <= height_px
        assert strip.shape[1] == width_px
        assert strip[:, -1].max() == 0  # no letter runs over the edge


def test_what_is_behind_the_letters_is_dimmed_and_below_untouched() -> None:
    frames = np.full((2, 3, 8, 6), 200, dtype=np.uint8)
    letters = np.zeros((3, 6), dtype=np.uint8)
    letters[1, 2] = 255
    drawn = draw_caption(frames, letters)
    assert np.unique(drawn[:, :, 0]).tolist() == [80]
    assert np.unique(drawn[:, :, 1, 2]).tolist() == [255]
    assert np.array_equal(drawn[:, :, 3:], frames[:, :, 3:])


def test_names_of_overlays_differ_where_videos_differ() -> None:
    names = ("a/x.mp4", "a/x.avi", "x.MP4")
    assert [str(overlay_path(Path("out"), name)) for name in names] == ["out/a/x.mp4", "out/a/x.avi.mp4", "out/x.MP4"]


def test_nothing_half_written_is_left(grey_video: Path, tmp_path: Path) -> None:
    content = grey_video.read_bytes()
    (tmp_path / "torn.avi").write_bytes(content[: len(content) // 3] + bytes(len(content) - len(content) // 3))
    before = sorted(tmp_path.iterdir())
    with pytest.raises(DecodeError, match=r"torn\.avi"):
        write_overlay(tmp_path / "torn.avi", [prediction((1, 0), 0, 3)], tmp_path / "out.mp4")
    assert sorted(tmp_path.iterdir()) == before
    with pytest.raises(VidclsError, match="cannot be written"):
        write_overlay(grey_video, [prediction((1, 0), 0, 3)], tmp_path / "torn.avi" / "out.mp4")


def test_the_overlay_is_read_by_the_decoder_that_is_named_and_from_a_video_that_is_open(
    grey_video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictions = [prediction((0.25, 0.75), 0, 3)]
    opened = watch_decoders(monkeypatch)
    write_overlay(grey_video, predictions, tmp_path / "named.avi", decoder="pyav")
    assert opened == [("pyav", grey_video)]
    with open_video(grey_video, "pyav") as video:
        write_overlay(video, predictions, tmp_path / "open.avi")
        assert video.frames([0]).shape == (1, 3, 80, 160)  # it stays open
    assert opened == [("pyav", grey_video)] * 2
    assert (tmp_path / "open.avi").read_bytes() == (tmp_path / "named.avi").read_bytes()

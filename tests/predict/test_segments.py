"""Scores of windows -> segments, by hand."""

from __future__ import annotations

import csv
from itertools import accumulate, pairwise
from pathlib import Path

import pytest
import torch

from vidcls.datasets import CVAT, FiftyOne, VideoDataset
from vidcls.errors import VidclsError
from vidcls.predict.prediction import Prediction
from vidcls.predict.segment_file import write_segments
from vidcls.predict.segments import Segment, SegmentFinder, SegmentSettings, segments_of
from vidcls.video import write_video
from vidcls.video_part import VideoPart

NAMES = ("run", "walk", "none", "other")
PLAIN = SegmentSettings("none", enter=0.5, leave=0.4)


def windows(scores: list[tuple[float, float]], *, window_seconds: float = 2.0, hop: float = 1.0) -> list[Prediction]:
    """Of ``run`` and ``walk``; the rest is shared by the others, which never have half of it."""
    found = []
    for k, (run, walk) in enumerate(scores):
        rest = (1 - run - walk) / 2 - 0.01
        of_class = (run, walk, rest, rest)
        found.append(Prediction("v", NAMES, of_class, k * hop, k * hop + window_seconds, ("run",)))
    return found


def spans(found: list[Segment]) -> list[tuple[float, float, str]]:
    return [(segment.start, segment.end, segment.label) for segment in found]


def test_a_border_lies_half_way_between_the_middles_and_the_ends_belong_to_the_nearest_window() -> None:
    found = segments_of(windows([(0.9, 0.0)] * 3 + [(0.0, 0.9)] * 3), PLAIN)
    assert spans(found) == [(0.0, 3.5, "run"), (3.5, 7.0, "walk")]
    assert [segment.score for segment in found] == [pytest.approx(0.9)] * 2
    moved_back = [*windows([(0.9, 0.0)], hop=2.0), Prediction("v", NAMES, (0, 0.9, 0.1, 0), 1.0, 3.0, ("walk",))]
    assert spans(segments_of(moved_back, PLAIN)) == [(0.0, 1.5, "run"), (1.5, 3.0, "walk")]
    assert segments_of([], PLAIN) == []
    assert spans(segments_of(windows([(0.9, 0.0)]))) == [(0.0, 2.0, "run")]


def test_windows_that_are_always_right_give_the_true_segments() -> None:
    lengths, hop, length = (2.0, 3.3, 7.9, 2.4, 4.0), 0.16, 0.64
    ends = list(accumulate(lengths))
    true = [(end - each, end, NAMES[k % 4]) for k, (end, each) in enumerate(zip(ends, lengths, strict=True))]
    timeline = []
    for k in range(int((ends[-1] - length) / hop) + 1):
        start, stop = k * hop, k * hop + length
        shares = [sum(max(0.0, min(stop, b) - max(start, a)) for a, b, of in true if of == name) for name in NAMES]
        timeline.append(Prediction("v", NAMES, tuple(share / length for share in shares), start, stop, ("run",)))
    for smoothing in ("median", "mean", "none"):
        found = segments_of(timeline, SegmentSettings(smoothing, shortest_seconds=length / 2))
        assert [segment.label for segment in found] == [label for *_, label in true]
        borders = [abs(f.start - start) for f, (start, *_) in zip(found, true, strict=True)]
        assert max(borders) <= hop / 2 + 1e-9, smoothing  # where a window has half of both, either may be first


def test_a_segment_begins_high_and_ends_low() -> None:
    scores = [(s, 0.0) for s in (0.3, 0.45, 0.6, 0.45, 0.41, 0.45, 0.39, 0.45, 0.3)]
    found = segments_of(windows(scores), SegmentSettings("none", enter=0.55, leave=0.4))
    assert spans(found) == [(2.5, 6.5, "run")]
    assert found[0].score == pytest.approx((0.6 + 0.45 + 0.41 + 0.45) / 4)
    taken_over = segments_of(windows([(0.9, 0.0), (0.42, 0.56), (0.42, 0.56)]), PLAIN)
    assert spans(taken_over) == [(0.0, 1.5, "run"), (1.5, 4.0, "walk")]


@pytest.mark.parametrize(
    ("smoothing", "expected"),
    [
        ("none", [(0.0, 3.5), (4.5, 9.0)]),
        ("median", [(0.0, 9.0)]),
        ("mean", [(0.0, 9.0)]),
    ],
)
def test_smoothing_takes_away_a_single_window(smoothing: str, expected: list[tuple[float, float]]) -> None:
    scores = [(0.9, 0.0)] * 8
    scores[3] = (0.0, 0.0)
    found = segments_of(windows(scores), SegmentSettings(smoothing, leave=0.3))  # type: ignore[arg-type]
    assert [(a, b) for a, b, _ in spans(found)] == expected


def test_short_segments_are_dropped_and_short_gaps_closed() -> None:
    scores = [(0.9, 0.0)] * 3 + [(0.0, 0.9)] + [(0.7, 0.0)] * 3 + [(0.0, 0.0)] * 3 + [(0.9, 0.0)] * 3
    found = segments_of(windows(scores), SegmentSettings("none", shortest_seconds=1.5))
    assert spans(found) == [(0.0, 7.5, "run"), (10.5, 14.0, "run")]
    assert found[0].score == pytest.approx((0.9 * 3.5 + 0.7 * 3) / 6.5)


def test_what_comes_piece_by_piece_is_what_comes_at_once_and_never_overlaps() -> None:
    scores = [((k * 37 % 11) / 12, (k * 53 % 7) / 30) for k in range(200)]
    settings = SegmentSettings("median", 5, 0.5, 0.35, 1.0)
    finder = SegmentFinder(settings)
    pieces = [finder.add(window) for window in windows(scores)]
    found = [segment for piece in pieces for segment in piece] + finder.finish()
    assert found == segments_of(windows(scores), settings)
    assert len(found) > 10
    assert sum(bool(piece) for piece in pieces) > 5  # they come meanwhile
    assert all(before.end <= after.start for before, after in pairwise(found))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"smoothing": "gauss"}, "smoothing is 'gauss'"),
        ({"smoothing_windows": 4}, "must be odd"),
        ({"enter": 0.3}, "leave not above enter"),
        ({"leave": 0.0}, "leave 0; both must be above 0"),
        ({"shortest_seconds": -1.0}, "shortest_seconds is -1"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SegmentSettings(**settings)  # type: ignore[arg-type]


def test_the_file_has_the_four_columns(tmp_path: Path) -> None:
    write_segments(tmp_path / "deep" / "s.csv", [Segment(0.0, 1.23456, "run, fast", 0.98765)])
    with (tmp_path / "deep" / "s.csv").open(newline="") as file:
        assert [*csv.reader(file)] == [["start", "end", "label", "score"], ["0.000", "1.235", "run, fast", "0.9877"]]
    with pytest.raises(VidclsError, match=r"^--segments .*cannot be written"):
        write_segments(tmp_path, [])


@pytest.mark.parametrize("suffix", [".xml", ".json"])
def test_segments_are_written_for_label_tools_with_the_frames_that_are_shown_in_them(
    tmp_path: Path, suffix: str
) -> None:
    write_video(tmp_path / "data" / "long.avi", torch.zeros(40, 3, 16, 16, dtype=torch.uint8), codec="mjpeg", fps=10)
    found = [Segment(0.0, 1.25, "run", 0.9), Segment(2.0, 4.0, "walk", 0.8)]
    file = tmp_path / f"labels{suffix}"
    write_segments(file, found, video=tmp_path / "data" / "long.avi", class_names=("run", "walk"))
    read: VideoDataset
    if suffix == ".xml":
        read = CVAT(file, val_fraction=0, test_fraction=0)
    else:
        read = FiftyOne(tmp_path, data=tmp_path / "data", val_fraction=0, test_fraction=0)
    frames = [VideoPart(0, 13, "frames"), VideoPart(20, 40, "frames")]
    assert [(r.label, r.part) for r in read.records] == list(zip(("run", "walk"), frames, strict=True))


def test_of_several_labels_each_begins_and_ends_by_itself(tmp_path: Path) -> None:
    scores = [(0.9, 0.1), (0.9, 0.8), (0.95, 0.8), (0.1, 0.8), (0.1, 0.9), (0.8, 0.1)]
    timeline = [Prediction("a.mp4", ("moves", "left"), both, float(k), k + 1.0, ()) for k, both in enumerate(scores)]
    settings = SegmentSettings(smoothing="none")
    found = segments_of(timeline, settings, several=True)
    assert [(s.label, s.start, s.end) for s in found] == [("moves", 0.0, 3.0), ("left", 1.0, 5.0), ("moves", 5.0, 6.0)]
    assert [s.score for s in found] == pytest.approx([2.75 / 3, 3.3 / 4, 0.8])
    assert [(s.label, s.start, s.end) for s in segments_of(timeline, settings)] == [
        ("moves", 0.0, 3.0),
        ("left", 3.0, 5.0),
        ("moves", 5.0, 6.0),
    ]
    write_video(tmp_path / "data" / "a.avi", torch.zeros(60, 3, 16, 16, dtype=torch.uint8), codec="mjpeg", fps=10)
    for name in ("a.xml", "labels.json"):
        write_segments(tmp_path / name, found, video=tmp_path / "data" / "a.avi", class_names=("left", "moves"))
    tasks: list[VideoDataset] = [
        CVAT(tmp_path / "a.xml", val_fraction=0, test_fraction=0),
        FiftyOne(tmp_path, data=tmp_path / "data", val_fraction=0, test_fraction=0),
    ]
    for data in tasks:
        parts = {(label, record.part) for record in data.records for label in record.classes}
        assert parts == {
            ("moves", VideoPart(0, 30, "frames")),
            ("left", VideoPart(10, 50, "frames")),
            ("moves", VideoPart(50, 60, "frames")),
        }

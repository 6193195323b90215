"""The ceilings of two discs: what a frame tells, what motion tells, what both tell that do not know of each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from vidcls.datasets import MovingShapes, VideoCsv
from vidcls.datasets.moving_scene import APPEARANCES
from vidcls.datasets.moving_shapes import CLASSES
from vidcls.datasets.two_shapes import CEILINGS, WAYS, Way, frames_of, make_pairs
from vidcls.errors import DatasetError
from vidcls.loading.video_data import VideoData
from vidcls.tasks import MultiLabel
from vidcls.video import open_video

KNOWN: dict[str, Callable[[Way], object]] = {
    "frame": lambda way: tuple(None if disc is None else disc.appearance for disc in way),
    "flow": lambda way: tuple(None if disc is None else disc.motion for disc in way),
    "fused by class": lambda way: (
        sorted(disc.appearance for disc in way if disc),
        sorted(disc.motion for disc in way if disc),
    ),
    "joint": lambda way: way,
}
TASK = MultiLabel(CLASSES)
TARGETS = np.stack([TASK.target(way.classes).numpy() for way in WAYS])  # (49, 8)


@pytest.mark.parametrize("kind", KNOWN)
def test_the_best_that_can_be_made_of_what_is_known_reaches_the_ceiling(kind: str) -> None:
    """Ranked by the probability of a class given what is known, which no other ranking beats."""
    known = [str(KNOWN[kind](way)) for way in WAYS]
    mean_of = {each: TARGETS[[k for k, other in enumerate(known) if other == each]].mean(axis=0) for each in known}
    scores = np.stack([mean_of[each] for each in known])
    assert TASK.measures(scores, TARGETS)["map"](None) == pytest.approx(CEILINGS[kind])


def test_every_class_is_in_ten_of_49_ways_and_a_clip_has_none_one_or_two() -> None:
    assert len(set(WAYS)) == len(WAYS) == 49
    assert TARGETS.sum(axis=0).tolist() == [10.0] * 8
    assert Counter(len(way.classes) for way in WAYS) == {0: 1, 1: 16, 2: 32}


def test_a_frame_and_grey_motion_are_the_same_for_all_ways_that_differ_in_nothing_that_they_show() -> None:
    """Bit-equal middle frames for all motions, and equal luma of all frames for either colour."""
    (pair,) = make_pairs(1, size_px=64, seed=(5,))
    frames, motions = {}, {}
    for way in WAYS:
        clip = frames_of(pair, way, 8)
        assert clip.shape == (8, 3, 64, 64)
        grey = np.stack([cv2.cvtColor(frame.transpose(1, 2, 0).copy(), cv2.COLOR_RGB2GRAY) for frame in clip])
        frames.setdefault(KNOWN["frame"](way), set()).add(clip[4].tobytes())
        motions.setdefault(KNOWN["flow"](way), set()).add(grey.tobytes())
    assert {len(pictures) for pictures in frames.values()} == {1}
    assert {len(pictures) for pictures in motions.values()} == {1}
    assert len({next(iter(pictures)) for pictures in frames.values()}) == len(frames) == 1 + 2 * len(APPEARANCES) + 2


def test_the_files_are_those_of_the_records_and_their_list_is_read_with_the_same_labels(tmp_path: Path) -> None:
    sizes = {"num_train": 98, "num_val": 49, "num_test": 49, "num_frames": 4, "size_px": 32}
    shapes = MovingShapes(tmp_path, num_objects=2, **sizes)  # type: ignore[arg-type]
    assert VideoData(shapes, task="multi_label").class_counts() == [20] * 8
    with pytest.raises(DatasetError, match=r"has (no label|2 labels).*pass --task multi_label"):
        VideoData(shapes)
    shapes.prepare()
    record = shapes.split("test")[30]
    pair = make_pairs(1, size_px=32, seed=(0, 2))[0]
    with open_video(record.path) as reader:
        decoded = reader.frames([0, 1, 2, 3])
    difference = decoded.float() - torch.from_numpy(frames_of(pair, WAYS[30], 4)).float()
    assert difference.abs().mean() < 3  # the colours of a file are coarser
    by_csv = {r.name: (r.classes, r.split, r.group) for r in VideoCsv(shapes.root / "clips.csv").records}
    assert by_csv == {r.name: (r.classes, r.split, r.group) for r in shapes.records}


def test_numbers_of_clips_and_objects_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="num_train is 50: expected a multiple of 49, one clip per way in which two"):
        MovingShapes(tmp_path, num_objects=2, num_train=50)
    with pytest.raises(ValueError, match="num_objects is 3: expected 1 or 2"):
        MovingShapes(tmp_path, num_objects=3)  # type: ignore[arg-type]
    assert len(MovingShapes(tmp_path).records) == 768 + 256 + 512
    assert MovingShapes(tmp_path).root.name == "b72956c096f35cf0"  # as before there were two objects

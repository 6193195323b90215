"""The claims of `MovingShapes`: one frame tells the colour, motion tells the direction, and nothing tells more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from vidcls.datasets import MovingShapes, VideoCsv, VideoFolder
from vidcls.datasets.moving_scene import APPEARANCES, MOTIONS, SPEED_PX, make_scenes
from vidcls.errors import DatasetError
from vidcls.types import SPLITS, VideoRecord
from vidcls.video import open_video

NUM_FRAMES, MIDDLE = 16, 8


def disc_place(scene_x: int, scene_y: int, motion: str, frame: int, size_px: int) -> tuple[int, int]:
    step_x, step_y = MOTIONS[motion]
    moved = SPEED_PX * (frame - MIDDLE)
    return (scene_x + moved * step_x) % size_px, (scene_y + moved * step_y) % size_px


def frames_of(record: VideoRecord) -> Tensor:
    with open_video(record.path) as reader:
        return reader.frames(list(range(reader.info.num_frames)))


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> MovingShapes:
    """128 clips of 32x32 px: 16 scenes, the fewest at which the histograms of the training split are exactly equal."""
    dataset = MovingShapes(tmp_path_factory.mktemp("cache"), num_train=128, num_val=8, num_test=128, size_px=32)
    dataset.prepare()
    return dataset


@pytest.fixture(scope="module")
def decoded(shapes: MovingShapes) -> dict[str, Tensor]:
    """Name -> ``(T, 3, H, W)`` as decoded from the file."""
    return {record.name: frames_of(record) for record in shapes.records}


def test_the_files_are_ordinary_videos(shapes: MovingShapes) -> None:
    with open_video(shapes.records[0].path) as reader:
        info = reader.info
    assert (info.num_frames, info.fps, info.height_px, info.width_px, info.codec) == (16, 25.0, 32, 32, "h264")


@pytest.mark.parametrize(("num_clips", "size_px"), [(128, 32), (256, 64), (512, 64), (768, 64)])
def test_at_every_frame_each_coordinate_has_the_same_histogram_for_all_motions(num_clips: int, size_px: int) -> None:
    """Neither x nor y of the disc says anything of the motion, at any frame: counted exactly."""
    scenes = make_scenes(num_clips // 8, size_px=size_px, seed=(0, 0))
    for frame in range(NUM_FRAMES):
        counts = []
        for motion in MOTIONS:
            places = [disc_place(scene.x_px, scene.y_px, motion, frame, size_px) for scene in scenes]
            counts.append((Counter(x for x, _ in places), Counter(y for _, y in places)))
        assert all(count == counts[0] for count in counts)


def test_the_disc_is_where_the_count_takes_it_to_be() -> None:
    scene = make_scenes(16, size_px=32, seed=(3,))[5]
    for motion, frame in product(MOTIONS, (0, 5, 15)):
        picture = scene.frames("red", motion, NUM_FRAMES)[frame]
        x, y = disc_place(scene.x_px, scene.y_px, motion, frame, 32)
        coloured = picture[0] != picture[1]  # (H, W)
        expected = np.zeros((32, 32), bool)
        row, column = np.mgrid[:12, :12]
        inside = (row - 5.5) ** 2 + (column - 5.5) ** 2 <= 36
        expected[(row[inside] + y) % 32, (column[inside] + x) % 32] = True
        assert np.array_equal(coloured, expected)


def test_the_middle_frame_of_a_scene_is_one_picture_with_four_labels(
    shapes: MovingShapes, decoded: dict[str, Tensor]
) -> None:
    """Bit-equal after decoding: even a table of all files names the motion of a middle frame once in four times."""
    pictures: dict[bytes, set[str]] = {}
    for record in shapes.records:
        picture = decoded[record.name][MIDDLE].numpy().tobytes()
        pictures.setdefault(picture, set()).add(record.label)
    assert len(pictures) == len(shapes.records) / 4
    for labels in pictures.values():
        assert {label.partition("_")[2] for label in labels} == set(MOTIONS)
        assert len({label.partition("_")[0] for label in labels}) == 1


def test_single_frames_do_not_let_a_classifier_find_the_motion(
    shapes: MovingShapes, decoded: dict[str, Tensor]
) -> None:
    def table(split: str) -> tuple[np.ndarray, list[str], list[str]]:
        records = [r for r in shapes.records if r.split == split]
        frames = [decoded[r.name][t] for r in records for t in (0, 5, 11, 15)]
        small = torch.nn.functional.avg_pool2d(torch.stack(frames).float() / 255, 4).flatten(1)  # (N, 3 * 8 * 8)
        motions = [r.extra["motion"] for r in records for _ in range(4)]
        return small.numpy(), motions, [r.extra["appearance"] for r in records for _ in range(4)]

    train_x, train_motion, train_colour = table("train")
    test_x, test_motion, test_colour = table("test")
    motion = LogisticRegression(max_iter=300).fit(train_x, train_motion).score(test_x, test_motion)
    colour = LogisticRegression(max_iter=300).fit(train_x, train_colour).score(test_x, test_colour)
    nearest = np.linalg.norm(test_x[:, None] - train_x[None], axis=2).argmin(axis=1)
    by_nearest = np.mean([train_motion[k] == answer for k, answer in zip(nearest, test_motion, strict=True)])
    assert 0.17 < motion < 0.33  # .25 and 4 standard errors of 512 frames
    assert 0.17 < by_nearest < 0.33
    assert colour > 0.95


def test_both_colours_have_the_same_luma_in_every_pixel() -> None:
    for scene in make_scenes(4, size_px=64, seed=(7,)):
        for motion in MOTIONS:
            grey = [
                [cv2.cvtColor(frame.transpose(1, 2, 0).copy(), cv2.COLOR_RGB2GRAY) for frame in frames]
                for frames in (scene.frames(appearance, motion, 4) for appearance in APPEARANCES)
            ]
            assert np.array_equal(grey[0], grey[1])


def test_the_files_have_nearly_the_same_luma_too(decoded: dict[str, Tensor]) -> None:
    weights = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    for motion in MOTIONS:
        grey = [(decoded[f"train/{colour}_{motion}/0003.mp4"].float() * weights).sum(1) for colour in APPEARANCES]
        assert (grey[0] - grey[1]).abs().mean() < 0.5


def test_optical_flow_on_the_disc_is_the_motion_for_either_colour_and_zero_elsewhere(tmp_path: Path) -> None:
    dataset = MovingShapes(tmp_path, num_train=8, num_val=8, num_test=8, num_frames=2)
    dataset.prepare()
    estimator = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    for record in dataset.records:
        rgb = [frame.permute(1, 2, 0).contiguous().numpy() for frame in frames_of(record)]
        flow = estimator.calc(*(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in rgb), None)
        saturation = rgb[0].astype(int).max(axis=2) - rgb[0].astype(int).min(axis=2)
        on_disc = cv2.erode((saturation > 60).astype(np.uint8), np.ones((3, 3))) > 0
        far_away = cv2.dilate((saturation > 30).astype(np.uint8), np.ones((17, 17))) == 0
        step_x, step_y = MOTIONS[record.extra["motion"]]
        assert np.median(flow[on_disc], axis=0) == pytest.approx([2 * step_x, 2 * step_y], abs=0.15)
        assert np.abs(flow[far_away]).mean() < 0.05


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    def contents(root: str, seed: int) -> list[bytes]:
        dataset = MovingShapes(tmp_path / root, num_train=8, num_val=8, num_test=8, num_frames=4, size_px=32, seed=seed)
        dataset.prepare()
        return [record.path.read_bytes() for record in dataset.records]

    first, again, other = contents("a", 1), contents("b", 1), contents("a", 2)
    assert first == again
    assert all(x != y for x, y in zip(first, other, strict=True))


def test_it_writes_into_no_folder_of_others(tmp_path: Path, lines: Callable[..., Path]) -> None:
    sizes = {"num_train": 8, "num_val": 8, "num_test": 8, "num_frames": 2, "size_px": 32}
    mine = lines(tmp_path / "mine/walk/a.mp4", "a video of mine")
    words = r"mine holds other files \(walk\).*your own videos: --data video_folder --data\.dataset\.root .*mine"
    with pytest.raises(DatasetError, match=words) as caught:
        MovingShapes(tmp_path / "mine", **sizes)
    assert "\n" not in str(caught.value)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [mine]
    # A folder of its own, with another seed in it, with what a kill left there, and hidden files of a file manager.
    MovingShapes(tmp_path / "ours", **sizes).prepare()
    lines(tmp_path / "ours/.DS_Store", "")
    (tmp_path / "ours" / ".0123456789abcdef-left").mkdir()
    MovingShapes(tmp_path / "ours", **sizes, seed=1).prepare()
    # A user who comes to it late: the videos were written among others by an older version.
    (tmp_path / "ours/walk").mkdir()
    with pytest.raises(DatasetError, match=r"ours holds other files \(walk\)"):
        MovingShapes(tmp_path / "ours", **sizes)


def test_parts_share_no_scene(shapes: MovingShapes, decoded: dict[str, Tensor]) -> None:
    corners = {split: {decoded[r.name][MIDDLE].numpy().tobytes() for r in shapes.split(split)} for split in SPLITS}
    assert not corners["train"] & corners["test"]
    assert not corners["train"] & corners["val"]
    assert not corners["val"] & corners["test"]


def test_every_scene_is_filmed_in_all_eight_classes(shapes: MovingShapes) -> None:
    labels: dict[str | None, list[str]] = {}
    for record in shapes.records:
        labels.setdefault(record.group, []).append(record.label)
    assert all(sorted(in_scene) == shapes.class_names for in_scene in labels.values())


def test_the_folder_can_be_read_as_a_folder_and_as_a_csv(shapes: MovingShapes) -> None:
    expected = {(r.name, r.label, r.split) for r in shapes.records}
    assert {(r.name, r.label, r.split) for r in VideoFolder(shapes.root).records} == expected
    by_csv = VideoCsv(shapes.root / "clips.csv").records
    assert {(r.name, r.label, r.split, r.group) for r in by_csv} == {
        (r.name, r.label, r.split, r.group) for r in shapes.records
    }


def test_making_one_writes_nothing_and_the_cache_is_where_the_user_keeps_caches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    dataset = MovingShapes()
    assert dataset.root.parent == tmp_path / "vidcls" / "moving_shapes"
    assert list(tmp_path.iterdir()) == []
    assert [len(dataset.split(split)) for split in SPLITS] == [768, 256, 512]
    assert MovingShapes(seed=1).root != dataset.root


def test_a_cut_off_file_is_written_again(tmp_path: Path) -> None:
    dataset = MovingShapes(tmp_path, num_train=8, num_val=8, num_test=8, num_frames=2, size_px=32)
    dataset.prepare()
    whole = dataset.records[3].path.read_bytes()
    dataset.records[3].path.write_bytes(whole[:100])
    dataset.prepare()
    assert dataset.records[3].path.read_bytes() == whole


def test_a_cache_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match=r"cannot write the clips to .*; name another folder with root"):
        MovingShapes(tmp_path / "file", num_train=8, num_val=8, num_test=8).prepare()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"num_train": 12}, "num_train is 12: expected a multiple of 8"),
        ({"num_test": 0}, "num_test is 0: expected a multiple of 8"),
        ({"size_px": 40}, "size_px is 40: expected a multiple of 16"),
        ({"num_frames": 1}, "num_frames is 1: expected at least 2"),
    ],
)
def test_sizes_that_break_the_design_are_refused(arguments: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        MovingShapes(**arguments)  # type: ignore[arg-type]

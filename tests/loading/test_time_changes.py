"""Training clips that are played backwards or at another speed are those of a file that shows just that."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from factories import video_data
from torch import Tensor

from vidcls.clips.indices import clip_indices
from vidcls.datasets import MovingShapes, VideoFolder
from vidcls.errors import ConfigurationError
from vidcls.loading import VideoDataModule
from vidcls.loading.clip_dataset import ClipKey
from vidcls.transforms import AS_RECORDED, TransformSettings
from vidcls.transforms.time_change import drawn_time_change
from vidcls.types import ClipSettings, Stream
from vidcls.video import open_video, write_video

pytestmark = pytest.mark.filterwarnings("ignore")
WHOLE = {"resize_px": None, "crop_px": (32, 40), "train_crop": "center", "flip_probability": 0.0}
BACKWARDS = {"reverse_probability": 1.0, "reverse_labels": {"left": "right", "still": "still"}}


def data_of(folder: Path | VideoFolder, transform: dict[str, object], **settings: object) -> VideoDataModule:
    dataset = VideoFolder(folder) if isinstance(folder, Path) else folder
    given = {"streams": ("rgb", "flow"), "clip_len": 3, "flow_len": 3, **settings}
    return video_data(dataset, transform=TransformSettings(**{**WHOLE, **transform}), **given)  # type: ignore[arg-type]


def sample(data: VideoDataModule, index: int, epoch: int = 0) -> tuple[dict[str, Tensor], str]:
    found = data.train_dataloader().loader.loader.dataset[ClipKey(0, epoch, index)]
    return found["streams"], data.class_names[found["label"]]


@pytest.fixture(scope="module")
def remade(clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The clips played backwards, and with every second frame; MJPEG codes each frame on its own."""
    places = {name: tmp_path_factory.mktemp(name) for name in ("backwards", "twice")}
    for path in clip_folder.rglob("*.avi"):
        with open_video(path) as video:
            frames = video.frames(range(video.num_frames))
        for name, changed in (("backwards", frames.flip(0)), ("twice", frames[::2])):
            write_video(places[name] / path.relative_to(clip_folder), changed, codec="mjpeg", quality=1)
    return places


@pytest.mark.parametrize(("clip_len", "stride", "flow_len"), [(3, 1, 3), (4, 2, 4), (1, 1, 1), (2, 1, 6), (12, 1, 9)])
@pytest.mark.parametrize("flow_on", ["worker", "device"])
def test_a_clip_played_backwards_is_that_of_the_file_played_backwards(
    remade: dict[str, Path], clip_folder: Path, clip_len: int, stride: int, flow_len: int, flow_on: str
) -> None:
    settings = {"clip_len": clip_len, "stride": stride, "flow_len": flow_len, "flow_on": flow_on}
    played, filmed = (
        data_of(clip_folder, BACKWARDS, **settings),
        data_of(remade["backwards"], {}, **settings),
    )
    for index in (0, 5):
        (ours, _), (theirs, _) = sample(played, index), sample(filmed, index)
        assert ours["rgb"].shape == theirs["rgb"].shape
        assert (ours["rgb"].float() - theirs["rgb"].float()).abs().mean() < 2  # compressed twice
        if flow_on == "device":  # the frames of each field, from which it is estimated
            assert (ours["flow"].float() - theirs["flow"].float()).abs().mean() < 2
        else:  # estimated forwards and turned around: beside the square it differs from flow estimated backwards
            (forwards, _) = sample(data_of(clip_folder, {}, flow_len=7), index)
            fields = [
                next(k for k in range(7) if torch.allclose(-forwards["flow"][:, k], field, atol=1e-5))
                for field in ours["flow"].unbind(1)
            ]
            assert all(later == (earlier - 1) % 7 for earlier, later in itertools.pairwise(fields))
            moved, expected = (clip["flow"][0].mean((1, 2)) for clip in (ours, theirs))
            assert torch.allclose(moved, expected, rtol=0.5)


def test_reversed_indices_are_those_of_the_mirrored_time_line() -> None:
    """Frames 9 8 7 of 10 are the first of the reversed video; its field 0 leads from frame 9 to frame 8: field 8."""
    streams = (Stream("rgb", "rgb"), Stream("flow", "flow"))
    backwards = AS_RECORDED._replace(is_reversed=True)
    clip = ClipSettings(clip_len=3, flow_len=2)
    found = clip_indices(streams, [[9, 8, 7]], (0, 10), clip, "loop", change=backwards)
    assert found == {"rgb": [9, 8, 7], "flow": [8, 7]}


def test_labels_follow_the_map_and_other_classes_are_never_reversed_unless_asked(clip_folder: Path) -> None:
    plain = data_of(clip_folder, {})
    mapped = data_of(clip_folder, {"reverse_probability": 1.0, "reverse_labels": {"left": "right"}})
    every = data_of(
        clip_folder, {"reverse_probability": 1.0, "reverse_labels": {"left": "right"}, "reverse_others": True}
    )
    for index, record in enumerate(plain.split("train")):
        before, label = sample(plain, index)
        (some, some_label), (all_of, all_label) = sample(mapped, index), sample(every, index)
        assert label == record.label
        expected = {"left": "right", "right": "left", "still": "still"}[label]
        assert some_label == all_label == expected
        assert torch.equal(some["rgb"], before["rgb"]) == (label == "still")
        if label != "still":
            moved = all_of["flow"][0].mean()  # to the right
            assert moved.sign() == -before["flow"][0].mean().sign()


def test_as_many_clips_as_asked_are_reversed_by_a_draw_that_moves_nothing_else(clip_folder: Path) -> None:
    plain = data_of(clip_folder, {}, streams=("rgb",), clip_len=4)
    half = data_of(clip_folder, {**BACKWARDS, "reverse_probability": 0.5}, streams=("rgb",), clip_len=4)
    num_reversed = 0
    for index in range(8):  # left and right
        for epoch in range(5):
            (before, label), (after, label_after) = sample(plain, index, epoch), sample(half, index, epoch)
            is_reversed = label != label_after
            num_reversed += is_reversed
            if not is_reversed:
                assert torch.equal(before["rgb"], after["rgb"])
    assert 10 <= num_reversed <= 30


def test_a_clip_at_twice_the_speed_is_that_of_every_second_frame(remade: dict[str, Path], clip_folder: Path) -> None:
    """Of the square, which moves 2 px a frame, the flow is 4 px; of one at half the speed 1 px."""
    fast, filmed, plain, slow = (
        data_of(folder, {"speed_range": speed}, clip_len=3, flow_len=2)
        for folder, speed in (
            (clip_folder, (2.0, 2.0)),
            (remade["twice"], (1.0, 1.0)),
            (clip_folder, (1.0, 1.0)),
            (clip_folder, (0.5, 0.5)),
        )
    )
    for index in (1, 6):
        ours, theirs, before, slowed = (sample(data, index)[0] for data in (fast, filmed, plain, slow))
        motion, expected = (
            [float((rgb[:, k + 1].float() - rgb[:, k].float()).abs().mean()) for k in (0, 1)]
            for rgb in (ours["rgb"], theirs["rgb"])
        )
        assert motion == pytest.approx(expected, rel=0.25)
        assert float(ours["flow"][0].mean() / before["flow"][0].mean()) == pytest.approx(2, rel=0.3)
        assert float(slowed["flow"][0].mean() / before["flow"][0].mean()) == pytest.approx(0.5, rel=0.3)
        assert torch.equal(slowed["rgb"][:, 0], slowed["rgb"][:, 1])  # a frame is shown twice


def test_speeds_are_spread_evenly_on_a_logarithmic_scale_and_change_labels_from_a_factor_on(clip_folder: Path) -> None:
    data = data_of(
        clip_folder,
        {"speed_range": (0.25, 4.0), "speed_labels": {"left": "right"}, "speed_labels_from": 2.0},
        streams=("rgb",),
    )
    labels = {label: [sample(data, index, epoch)[1] for index in range(i, i + 4) for epoch in range(25)]
              for i, label in ((0, "left"), (4, "right"), (8, "still"))}  # fmt: skip
    assert 15 <= labels["left"].count("right") <= 37  # a quarter is above 2
    assert 15 <= labels["right"].count("left") <= 37  # a quarter is below .5
    assert set(labels["still"]) == {"still"}


def test_a_disc_of_moving_shapes_that_goes_left_backwards_goes_right(tmp_path: Path) -> None:
    dataset = MovingShapes(tmp_path, num_train=16, num_val=8, num_test=8, size_px=32)
    dataset.prepare()
    colours, ways = ("red", "blue"), (("left", "right"), ("up", "down"))
    colours = tuple({name.split("_")[0] for name in dataset.class_names})
    labels = {f"{colour}_{one}": f"{colour}_{other}" for colour in colours for one, other in ways}
    transform = {"crop_px": 32, "reverse_probability": 1.0, "reverse_labels": labels}
    data = data_of(dataset, transform, clip_len=4, flow_len=4)
    axis_and_sign = {"left": (0, -1), "right": (0, 1), "up": (1, -1), "down": (1, 1)}
    for index, record in enumerate(data.split("train")):
        streams, label = sample(data, index)
        assert label != record.label
        assert label.split("_")[0] == record.label.split("_")[0]
        axis, sign = axis_and_sign[label.split("_")[1]]
        moving = streams["flow"].abs().amax(0) > 1  # the disc: 2 px a frame
        along = streams["flow"][axis][moving] * sign
        assert float(along.median()) == pytest.approx(2, abs=0.4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reverse_probability": 0.5}, "no class may be played backwards"),
        ({"reverse_labels": {"left": "right"}}, "have no effect: set reverse_probability"),
        ({"reverse_probability": 2.0, "reverse_others": True}, "reverse_probability must lie in 0 to 1"),
        ({"speed_range": (2.0, 1.0)}, "speed_range is the smallest and the largest"),
        ({"speed_labels": {"left": "right"}}, "speed_labels have no effect"),
        ({"speed_range": (0.5, 2.0), "speed_labels_from": 1.0}, "speed_labels_from must be above 1"),
        ({"speed_range": (0.5, 2.0), "speed_labels": {"a": "c", "b": "c"}}, "become the same class"),
        (
            {"reverse_probability": 1.0, "reverse_labels": {"open": "close", "close": "shut"}},
            "a clip of 'open' becomes one of 'close', which reversed again must be 'open', not 'shut'",
        ),
        ({"reverse_probability": 1.0, "reverse_labels": {"a": "b", "b": "b"}}, "must be 'a', not 'b'"),
        ({"reverse_probability": 1.0, "reverse_labels": {"a": "c", "b": "c"}}, "must be 'a', not 'b'"),
        ({"flip_label_swaps": {"left": "right", "right": "up"}}, "flip_label_swaps contradicts itself: .* mirrored"),
    ],
)
def test_settings_without_a_meaning_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TransformSettings(**changes)  # type: ignore[arg-type]


def test_a_video_of_no_class_is_reversed_where_all_others_are() -> None:
    TransformSettings(reverse_probability=1.0, reverse_labels={"a": "b", "b": "a", "c": "c"})
    for reverse_others in (False, True):
        settings = TransformSettings(
            reverse_probability=1.0, reverse_labels={"opens": "closes"}, reverse_others=reverse_others
        )
        drawn = [
            drawn_time_change(settings, classes, generator=torch.Generator().manual_seed(0)).is_reversed
            for classes in (("opens",), ("opens", "closes"), ("opens", "waits"), ())
        ]
        assert drawn == [True, True, reverse_others, reverse_others]


def test_unknown_classes_and_a_speed_that_the_device_would_not_see_are_refused(clip_folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"transform\.reverse_labels names 'up', which is no class"):
        data_of(clip_folder, {"reverse_probability": 0.5, "reverse_labels": {"left": "up"}})
    with pytest.raises(ConfigurationError, match="set flow_on worker"):
        data_of(clip_folder, {"speed_range": (0.5, 2.0)}, flow_on="device")

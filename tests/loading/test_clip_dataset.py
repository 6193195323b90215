"""Records -> samples and batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from object_servers import Fault, S3Server
from torch import Tensor

from vidcls.clips import InputSettings
from vidcls.clips.reader import ClipReader
from vidcls.datasets import VideoFolder
from vidcls.errors import DecodeError, FlowError, MissingFlowError, UnreachableError
from vidcls.flow import FlowSettings
from vidcls.loading.batches import collate
from vidcls.loading.clip_dataset import ClipKey, OrderedVideos, TrainClips
from vidcls.tasks import SingleLabel
from vidcls.transforms import TransformSettings
from vidcls.types import ClipSettings, VideoRecord
from vidcls.video import LocalFile, RemoteFile

pytestmark = pytest.mark.filterwarnings("ignore")

CLIP = ClipSettings(clip_len=2, flow_len=3)


def reader(**transform: object) -> ClipReader:
    settings = TransformSettings(**{"resize_px": 32, "crop_px": 24, **transform})  # type: ignore[arg-type]
    return ClipReader(
        InputSettings(
            streams=("rgb", "flow"), clip=CLIP, transform=settings, test_clips=2, flow_settings=FlowSettings()
        )
    )


def train_clips(dataset: VideoFolder, **transform: object) -> TrainClips:
    return TrainClips(dataset.split("train"), SingleLabel(dataset.class_names), reader(**transform))


def test_a_training_sample_has_channels_first_and_raw_values(clip_dataset: VideoFolder) -> None:
    sample = train_clips(clip_dataset)[ClipKey(0, 0, 5)]
    assert sample["streams"]["rgb"].shape == (3, 2, 24, 24)  # type: ignore[typeddict-item]
    assert sample["streams"]["rgb"].dtype == torch.uint8  # type: ignore[typeddict-item]
    assert sample["streams"]["flow"].shape == (2, 3, 24, 24)  # type: ignore[typeddict-item]
    assert sample["streams"]["flow"].dtype == torch.float32  # type: ignore[typeddict-item]
    assert (sample["label"], sample["index"]) == (1, 5)  # type: ignore[typeddict-item]


def test_equal_keys_give_equal_samples_and_any_other_key_another(clip_dataset: VideoFolder) -> None:
    clips = train_clips(clip_dataset, color_jitter=0.4)
    first, again = clips[ClipKey(1, 2, 3)], train_clips(clip_dataset, color_jitter=0.4)[ClipKey(1, 2, 3)]
    for name in ("rgb", "flow"):
        assert torch.equal(first["streams"][name], again["streams"][name])  # type: ignore[typeddict-item]
    for key in (ClipKey(0, 2, 3), ClipKey(1, 1, 3), ClipKey(1, 2, 4)):
        assert not torch.equal(first["streams"]["rgb"], clips[key]["streams"]["rgb"])  # type: ignore[typeddict-item]


def test_the_flow_of_a_mirrored_clip_is_mirrored(clip_dataset: VideoFolder) -> None:
    """A square that moves 2 px to the right moves 2 px to the left in the mirror."""
    index = next(k for k, record in enumerate(clip_dataset.split("train")) if record.label == "right")
    for flip_probability, sign in ((0.0, 1), (1.0, -1)):
        clips = train_clips(clip_dataset, train_crop="center", flip_probability=flip_probability)
        sample = clips[ClipKey(0, 0, index)]
        x = sample["streams"]["flow"][0] * sign  # type: ignore[typeddict-item]
        assert float(x.max()) > 1.0
        assert float(x.max()) > -float(x.min())


def test_the_label_is_swapped_exactly_when_the_clip_is_mirrored(clip_dataset: VideoFolder) -> None:
    names = clip_dataset.class_names
    swaps = {"left": "right"}
    plain = train_clips(clip_dataset, train_crop="center", flip_probability=0.0)
    swapped = train_clips(clip_dataset, train_crop="center", flip_probability=0.5, flip_label_swaps=swaps)
    num_mirrored = 0
    for index, record in enumerate(clip_dataset.split("train")):
        for epoch in range(3):
            before, after = plain[ClipKey(0, epoch, index)], swapped[ClipKey(0, epoch, index)]
            mirrored = not torch.equal(before["streams"]["rgb"], after["streams"]["rgb"])  # type: ignore[typeddict-item]
            num_mirrored += mirrored
            expected = {"left": "right", "right": "left", "still": "still"}[record.label] if mirrored else record.label
            assert names[after["label"]] == expected  # type: ignore[typeddict-item]
    assert 6 <= num_mirrored <= 30  # of 36


def test_a_test_sample_holds_every_view_clips_first(clip_dataset: VideoFolder) -> None:
    videos = OrderedVideos(clip_dataset.split("test"), SingleLabel(clip_dataset.class_names), reader(test_crops=3))
    sample = videos[0]
    assert sample["streams"]["rgb"].shape == (6, 3, 2, 24, 24)
    assert sample["streams"]["flow"].shape == (6, 2, 3, 24, 24)
    single = OrderedVideos(
        clip_dataset.split("test"), SingleLabel(clip_dataset.class_names), reader(test_crops=3), views=False
    )[0]
    assert torch.equal(single["streams"]["rgb"], sample["streams"]["rgb"][0])


def test_labels_go_by_name_whatever_their_order(clip_dataset: VideoFolder) -> None:
    records = clip_dataset.split("test")
    videos = OrderedVideos(records, SingleLabel(["still", "absent", "right", "left"]), reader())
    assert [videos[k]["label"] for k in (0, 3, 6)] == [3, 2, 0]
    assert [records[k].label for k in (0, 3, 6)] == ["left", "right", "still"]


@pytest.fixture
def with_a_bad_one(clip_dataset: VideoFolder, tmp_path: Path) -> list[VideoRecord]:
    bad = tmp_path / "bad.avi"
    bad.write_bytes(b"no video at all")
    good = clip_dataset.split("train")[:2]
    return [good[0], VideoRecord(source=LocalFile(bad), label="left", split="train", name="bad.avi"), good[1]]


def test_a_bad_video_is_an_error_that_names_the_file(with_a_bad_one: list[VideoRecord]) -> None:
    clips = TrainClips(with_a_bad_one, SingleLabel(["left", "right", "still"]), reader())
    with pytest.raises(DecodeError, match=r"bad\.avi"):
        clips[ClipKey(0, 0, 1)]


def test_a_bad_video_that_is_skipped_is_named_and_nothing_takes_its_place(with_a_bad_one: list[VideoRecord]) -> None:
    clips = TrainClips(with_a_bad_one, SingleLabel(["left", "right", "still"]), reader(), bad_videos="skip")
    batch = collate([clips[ClipKey(0, 0, index)] for index in (0, 1, 2)])
    assert batch["skipped"] == [str(with_a_bad_one[1].path)]
    assert batch["index"].tolist() == [0, 2]
    assert batch["streams"]["rgb"].shape[0] == 2
    all_bad = collate([clips[ClipKey(0, 0, 1)]])
    assert all_bad["index"].tolist() == []
    assert all_bad["skipped"] == [str(with_a_bad_one[1].path)]


def test_a_video_without_stored_flow_counts_as_bad_while_training_but_other_flow_errors_do_not(
    clip_dataset: VideoFolder,
) -> None:
    class Store:
        """A store that says ``error`` of every video."""

        settings = FlowSettings()

        def __init__(self, error: FlowError) -> None:
            self.error = error

        def num_fields(self, _record: VideoRecord) -> int:
            raise self.error

        def fields(self, _record: VideoRecord, _indices: Sequence[int]) -> Tensor:
            raise self.error

    records = clip_dataset.split("train")
    missing = ClipReader(reader().settings, Store(MissingFlowError("no flow")))
    clips = TrainClips(records, SingleLabel(clip_dataset.class_names), missing, bad_videos="skip")
    assert clips[ClipKey(0, 0, 2)] == {"skipped": str(records[2].path)}
    other = ClipReader(reader().settings, Store(FlowError("of another video")))
    with pytest.raises(FlowError, match="of another video"):
        TrainClips(records, SingleLabel(clip_dataset.class_names), other, bad_videos="skip")[ClipKey(0, 0, 2)]


def test_a_bad_video_in_a_test_is_an_error(with_a_bad_one: list[VideoRecord]) -> None:
    with pytest.raises(DecodeError, match=r"bad\.avi"):
        OrderedVideos(with_a_bad_one, SingleLabel(["left", "right", "still"]), reader())[1]


def test_a_video_that_its_server_does_not_give_is_neither_skipped_nor_counted(
    s3: S3Server, clip_dataset: VideoFolder
) -> None:
    first = clip_dataset.split("train")[0]
    address = s3.put("outage/a.avi", Path(first.source.name).read_bytes())
    records, task = [replace(first, source=RemoteFile(address))], SingleLabel(clip_dataset.class_names)
    s3.proxy.faults = [Fault(status=503, times=99, method="")]
    with pytest.raises(UnreachableError, match=f"^{address}: cannot be read: "):
        TrainClips(records, task, reader(), bad_videos="skip")[ClipKey(0, 0, 0)]
    for way in ("wrong", "leave_out"):
        with pytest.raises(UnreachableError, match=f"^{address}: cannot be read: "):
            OrderedVideos(records, task, reader(), bad_videos=way)[0]  # type: ignore[arg-type]
    s3.proxy.reset()
    s3.client().delete_object(Bucket="videos", Key="outage/a.avi")
    gone = TrainClips(records, task, reader(), bad_videos="skip")  # as a file that was removed
    assert gone[ClipKey(0, 0, 0)] == {"skipped": address}

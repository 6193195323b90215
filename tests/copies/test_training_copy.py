from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from vidcls.clips.settings import InputSettings
from vidcls.copies.training_copy import OWN_SIZE, TrainingCopy, estimated
from vidcls.datasets import VideoFolder
from vidcls.flow import FlowSettings
from vidcls.jobs import InThisProcess
from vidcls.transforms import TransformSettings
from vidcls.types import ClipSettings, VideoRecord
from vidcls.video import open_video, write_video

POOL = InThisProcess()


def settings(resize_px: int | None = 16, *, flow: FlowSettings | None = None, flow_on: str = "worker") -> InputSettings:
    return InputSettings(
        streams=("rgb",) if flow is None else ("rgb", "flow"),
        clip=ClipSettings(flow_len=3),
        transform=TransformSettings(resize_px=resize_px, crop_px=16),
        flow_settings=flow,
        flow_on=flow_on,  # type: ignore[arg-type]
    )


@pytest.fixture
def records(clip_dataset: VideoFolder) -> list[VideoRecord]:
    return clip_dataset.records[:4]


@pytest.mark.parametrize(
    ("resize_px", "flow_px", "side_px", "stored_px"),
    [(16, None, 16, 16), (16, 24, 24, 24), (64, 24, 64, 24), (None, None, OWN_SIZE, None), (None, 24, OWN_SIZE, 24)],
)
def test_frames_are_as_large_as_clips_and_flow_need(
    records: list[VideoRecord], resize_px: int | None, flow_px: int | None, side_px: int, stored_px: int | None
) -> None:
    copy = TrainingCopy.of(records, settings(resize_px, flow=FlowSettings(bound_px=7, short_side_px=flow_px)))
    assert copy.settings.short_side_px == side_px
    assert copy.flow_settings == FlowSettings(bound_px=7, short_side_px=stored_px)


def test_a_copy_has_flow_only_where_workers_compute_it(records: list[VideoRecord]) -> None:
    assert TrainingCopy.of(records, settings()).flow_settings is None
    assert TrainingCopy.of(records, settings(flow=FlowSettings(), flow_on="device")).flow_settings is None


def test_the_place_in_the_cache_tells_videos_and_settings(
    records: list[VideoRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = TrainingCopy.of(records, settings())
    assert first.root.is_relative_to(tmp_path / "vidcls" / "prepared")
    assert TrainingCopy.of(records[::-1], settings()).root == first.root
    others = [TrainingCopy.of(records[1:], settings()), TrainingCopy.of(records, settings(24))]
    assert len({first.root, *(copy.root for copy in others)}) == 3


def test_records_get_the_files_of_the_copy_and_keep_their_names(records: list[VideoRecord], tmp_path: Path) -> None:
    copy = TrainingCopy.of(records, settings(flow=FlowSettings()), tmp_path / "copy")
    assert copy.used(records) is None
    assert not copy.is_whole(records)
    assert copy.make(records, pool=POOL) == []
    assert copy.is_whole(records)
    swapped = copy.used(records)
    assert swapped is not None
    for before, after in zip(records, swapped, strict=True):
        assert replace(after, source=before.source) == before
        with open_video(after.source) as video:
            assert video.backend == "jpeg"
            assert video.frames([0]).shape == (1, 3, 16, 20)
    store = copy.flow_store()
    assert store is not None
    assert store.fields(swapped[0], [0, 1]).shape == (2, 2, 16, 20)


def test_a_video_that_has_changed_is_read_itself_until_it_is_copied_again(
    records: list[VideoRecord], tmp_path: Path
) -> None:
    mine = [replace(records[0], source=type(records[0].source)(tmp_path / "a.avi")), *records[1:]]  # type: ignore[call-arg]
    generator = torch.Generator().manual_seed(0)
    for _ in range(2):
        frames = torch.randint(0, 256, (8, 3, 32, 40), dtype=torch.uint8, generator=generator)
        write_video(tmp_path / "a.avi", frames, codec="mjpeg")
        copy = TrainingCopy.of(mine, settings(flow=FlowSettings()), tmp_path / "copy")
        assert not copy.is_whole(mine)
        used = copy.used(mine)
        assert used is None or used[0] is mine[0]
        copy.make(mine, pool=POOL)
        assert copy.is_whole(mine)


def test_a_video_that_cannot_be_copied_is_named_and_keeps_the_copy_from_being_whole_no_longer(
    records: list[VideoRecord], tmp_path: Path
) -> None:
    (tmp_path / "bad.avi").write_bytes(b"no video")
    bad = replace(records[0], name="bad.avi", source=type(records[0].source)(tmp_path / "bad.avi"))  # type: ignore[call-arg]
    copy = TrainingCopy.of([*records, bad], settings(), tmp_path / "copy")
    ((name, reason),) = copy.make([*records, bad], pool=POOL)
    assert name == "bad.avi"
    assert reason
    assert copy.is_whole([*records, bad])
    used = copy.used([*records, bad])
    assert used is not None
    assert used[-1] is bad


def test_the_cost_is_estimated_from_a_few_videos_that_are_gone_afterwards(records: list[VideoRecord]) -> None:
    seen: list[TrainingCopy] = []

    def try_out(copy: TrainingCopy, few: list[VideoRecord]) -> None:
        seen.append(copy)
        assert copy.is_whole(few) or copy.used(few) is None or len(few) == 3

    found = estimated(records, settings(flow=FlowSettings()), num_workers=2, try_out=try_out)
    assert found is not None
    assert found.seconds > 0
    assert found.num_bytes > 1000
    assert not seen[0].root.exists()

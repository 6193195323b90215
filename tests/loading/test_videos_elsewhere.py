"""Videos that are no files of this machine: nothing but their source knows that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import pytest
import torch

from vidcls.copies.preparation import prepare
from vidcls.copies.prepared_folder import PrepareSettings
from vidcls.datasets import VideoDataset, VideoFolder
from vidcls.errors import DecodeError
from vidcls.flow import FlowSettings, FlowStore
from vidcls.flow.precompute import precompute
from vidcls.jobs import InThisProcess
from vidcls.loading import VideoDataModule
from vidcls.transforms import TransformSettings
from vidcls.video import BytesInMemory, open_video
from vidcls.video.source_identity import SourceIdentity

CONTENT: dict[str, bytes] = {}


@dataclass(frozen=True, slots=True)
class Stored:
    """A video in a store of objects, which is a dictionary here."""

    name: str

    def _bytes(self) -> BytesInMemory:
        if self.name not in CONTENT:
            raise DecodeError(f"{self.name}: no such object")
        return BytesInMemory(CONTENT[self.name], self.name)

    @property
    def is_lasting(self) -> bool:
        return True

    def stamp(self) -> tuple[int, int] | None:
        content = CONTENT.get(self.name)
        return None if content is None else (len(content), hash(content))

    def open(self) -> BinaryIO:
        return self._bytes().open()

    def local_file(self):  # type: ignore[no-untyped-def]
        return self._bytes().local_file()


class StoredVideos(VideoDataset):
    def __init__(self, local: VideoFolder) -> None:
        records = [replace(record, source=Stored(f"store://clips/{record.name}")) for record in local.records]
        super().__init__(local.root / "nowhere", records)


@pytest.fixture
def stored(clip_dataset: VideoFolder, monkeypatch: pytest.MonkeyPatch) -> StoredVideos:
    content = {f"store://clips/{r.name}": Path(r.source.name).read_bytes() for r in clip_dataset.records}
    monkeypatch.setattr(f"{__name__}.CONTENT", content)
    return StoredVideos(clip_dataset)


def batches(dataset: VideoDataset, **settings: object) -> list[dict[str, object]]:
    transform = TransformSettings(resize_px=None, crop_px=32)
    data = VideoDataModule(
        dataset,
        streams=("rgb", "flow"),
        clip_len=2,
        flow_len=3,
        transform=transform,
        num_workers=0,
        **settings,  # type: ignore[arg-type]
    )
    data.setup("fit")
    data.setup("test")
    return [*data.train_dataloader(), *data.val_dataloader(), *data.test_dataloader()]


def equal(first: object, second: object) -> bool:
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(equal(first[key], second[key]) for key in first)
    return torch.equal(first, second) if isinstance(first, torch.Tensor) else first == second  # type: ignore[arg-type]


def test_the_clips_are_those_of_the_files(stored: StoredVideos, clip_dataset: VideoFolder) -> None:
    for of_stored, of_files in zip(batches(stored), batches(clip_dataset), strict=True):
        assert equal(of_stored, of_files)


def test_flow_of_the_files_is_that_of_the_stored_videos_and_the_other_way_round(
    stored: StoredVideos, clip_dataset: VideoFolder, tmp_path: Path
) -> None:
    for maker, reader in ((stored, clip_dataset), (clip_dataset, stored)):
        root = tmp_path / type(maker).__name__
        report = precompute(maker.records, root, FlowSettings(), pool=InThisProcess(), tell=str)
        assert not report.failures
        store = FlowStore(root)
        for record in reader.records[:3]:
            assert store.fields(record, [0, 1]).shape == (2, 2, 32, 40)
    assert len(batches(stored, flow=str(tmp_path / "VideoFolder"))) == len(batches(clip_dataset))


def test_a_copy_of_them_is_made_once(stored: StoredVideos, tmp_path: Path) -> None:
    records = stored.records[:3]
    for num_kept in (0, 3):
        found = prepare(records, tmp_path / "copy", PrepareSettings(short_side_px=32), pool=InThisProcess())
        assert (len(found.videos), found.num_kept, found.failures) == (3, num_kept, [])


def test_their_identity_is_that_of_the_files(stored: StoredVideos, clip_dataset: VideoFolder) -> None:
    for record, of_file in zip(stored.records, clip_dataset.records, strict=True):
        assert SourceIdentity.of(record.source) == SourceIdentity.of(of_file.source)


def test_one_that_is_gone_is_named_by_its_address(stored: StoredVideos) -> None:
    record = stored.records[0]
    del CONTENT[record.source.name]
    assert record.source.stamp() is None
    with pytest.raises(DecodeError, match="store://clips/"), open_video(record.source):
        pass

"""Flow that its bound cuts: said by the computation, the manifest, the file, and the check of a store."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from vidcls.flow import FlowSettings, FlowStore
from vidcls.flow.dense_flow_folder import DenseFlowFolder
from vidcls.flow.estimators import METHODS
from vidcls.flow.flow_check import flow_saturation
from vidcls.flow.flow_file import FlowFile, FlowFileHeader, write_flow_file
from vidcls.flow.manifest import MANIFEST_NAME, Manifest
from vidcls.flow.precompute import precompute, verify
from vidcls.flow.report import Report
from vidcls.flow.saturation import Saturation
from vidcls.jobs import InThisProcess
from vidcls.types import VideoRecord
from vidcls.video import LocalFile


def silent(_: str) -> None:
    """Says nothing."""


MakeRecord = Callable[..., VideoRecord]
SHARE_OF = {"slow.avi": 0.0, "quick.avi": 0.1, "quicker.avi": 0.3}
NUM_FIELDS, SIZE = 4, (20, 50)
LINE = "13 % of the flow values are beyond the bound of 20 px; a bound of 31 px would hold 99.9 %"


@pytest.fixture
def records(make_record: MakeRecord, monkeypatch: pytest.MonkeyPatch) -> list[VideoRecord]:
    """Videos of five frames whose brightness is the share of their flow that moves 30 px per frame."""

    def flow_by_brightness(frames: Tensor, settings: FlowSettings) -> Tensor:
        flow = torch.full((len(frames) - 1, 2, *frames.shape[-2:]), 5.0)
        for field, frame in zip(flow, frames, strict=False):
            flat = field.view(-1)
            flat[: round(len(flat) * float(frame[0, 0, 0]) / 250)] = -30.0
        return flow

    monkeypatch.setitem(METHODS, "dis", flow_by_brightness)
    found = []
    for name, share in SHARE_OF.items():
        frames = torch.full((NUM_FIELDS + 1, 3, *SIZE), round(share * 250), dtype=torch.uint8)
        frames[:, :, -1, -1] = torch.arange(NUM_FIELDS + 1)[:, None]  # or nothing would move
        found.append(make_record(name, frames))
    return found


def computed(records: list[VideoRecord], root: Path) -> Report:
    return precompute(records, root, FlowSettings(), pool=InThisProcess(), tell=silent)


def test_what_the_bound_cuts_is_counted_for_each_video_and_for_the_store(
    records: list[VideoRecord], tmp_path: Path
) -> None:
    report = computed(records, tmp_path / "flow")
    num_values = NUM_FIELDS * 2 * SIZE[0] * SIZE[1]
    assert report.failures == []
    assert report.saturation is not None
    assert report.saturation.num_values == 3 * num_values
    assert report.saturation.num_saturated == round(0.4 * num_values)
    assert [(name, found.share) for name, found in report.saturated] == [
        ("quicker.avi", pytest.approx(0.3)),
        ("quick.avi", pytest.approx(0.1)),
    ]
    assert report.saturation_lines(20.0) == [
        LINE,
        "videos of which it cuts more than 0.1 %: 2, most in quicker.avi 30 %, quick.avi 10 %",
    ]
    store = FlowStore(tmp_path / "flow")
    assert store.manifest.saturation == report.saturation
    for record in records:
        with store.open_file(record) as file:
            assert file.header.saturation is not None
            assert file.header.saturation.share == pytest.approx(SHARE_OF[record.name])
        assert flow_saturation(store, record) == file.header.saturation


def test_the_same_command_again_and_the_check_of_the_store_say_it_too(
    records: list[VideoRecord], tmp_path: Path
) -> None:
    first = computed(records[:1], tmp_path / "flow")
    assert first.saturation_lines(20.0) == ["0 % of the flow values are beyond the bound of 20 px"]
    computed(records, tmp_path / "flow")
    again = computed(records, tmp_path / "flow")
    assert again.num_kept == 3
    verified = verify(records, tmp_path / "flow", pool=InThisProcess())
    assert verified.failures == []
    for report in (again, verified):
        assert report.saturation_lines(20.0)[0] == LINE


def without_counts(root: Path) -> FlowStore:
    """The store as version 0.1 would have written it: neither its manifest nor its files know what was cut."""
    for path in root.rglob("*.flow"):
        with FlowFile(path) as file:
            header, num_fields = file.header, file.num_fields
            codes = file.codes(range(num_fields))
        with path.open("wb") as target:
            write_flow_file(target, codes, FlowFileHeader(**{**_fields(header), "saturation": None}))  # type: ignore[arg-type]
    manifest = json.loads((root / MANIFEST_NAME).read_text())
    del manifest["saturation"]
    (root / MANIFEST_NAME).write_text(json.dumps(manifest))
    return FlowStore(root)


def _fields(header: FlowFileHeader) -> dict[str, object]:
    return {name: getattr(header, name) for name in FlowFileHeader.__slots__}


def test_a_store_that_does_not_know_is_read_and_counted_at_the_bound(
    records: list[VideoRecord], tmp_path: Path
) -> None:
    computed(records, tmp_path / "flow")
    store = without_counts(tmp_path / "flow")
    assert store.manifest.saturation is None
    report = verify(records, tmp_path / "flow", pool=InThisProcess())
    assert report.failures == []
    assert report.saturation_lines(20.0)[0] == "13 % of the flow values are at the bound of 20 px"
    kept = computed(records, tmp_path / "flow")
    assert (kept.num_kept, kept.saturation, kept.saturation_lines(20.0)) == (3, None, [])
    for record in records:
        found = flow_saturation(store, record)
        assert found.share == pytest.approx(SHARE_OF[record.name])  # of three fields of each
        assert found.tail is None


def test_headers_and_manifests_of_version_01_have_no_such_entry() -> None:
    source = {"num_bytes": 7, "digest": "d"}
    plain = {"settings": {}, "parameters": {}, "weights_digest": None, "height_px": 2, "width_px": 2, "source": source}
    assert FlowFileHeader.from_json(json.dumps(plain).encode()).saturation is None
    plain["saturation"] = {"num_values": 8, "num_saturated": 2, "tail": [0, 2]}
    assert FlowFileHeader.from_json(json.dumps(plain).encode()).saturation == Saturation(8, 2, (0, 2))
    plain["saturation"] = {"num_values": 8}
    with pytest.raises(KeyError):
        FlowFileHeader.from_json(json.dumps(plain).encode())


def test_a_manifest_gives_back_what_it_was_told(tmp_path: Path) -> None:
    settings = FlowSettings()
    for saturation in (None, Saturation(9, 2, (1, 1)), Saturation(9, 2, None)):
        written = Manifest(settings, settings.parameters(), None, saturation=saturation)
        written.write(tmp_path)
        assert Manifest.read(tmp_path) == written


def test_pictures_of_dense_flow_are_at_the_bound_where_they_are_white_or_black(tmp_path: Path) -> None:
    from torchvision.io import write_jpeg

    grey = torch.full((1, 16, 40), 128, dtype=torch.uint8)
    for number in range(1, 4):
        half = grey.clone()
        half[:, :8] = 255
        half[:, 8:] = 0 if number == 2 else 128
        write_jpeg(half, str(folder(tmp_path) / f"flow_x_{number:05d}.jpg"), quality=100)
        write_jpeg(grey, str(folder(tmp_path) / f"flow_y_{number:05d}.jpg"), quality=100)
    record = VideoRecord(source=LocalFile(tmp_path / "a.avi"), label="", split="train", name="a.avi")
    found = flow_saturation(DenseFlowFolder(tmp_path), record)
    assert found == Saturation(3 * 2 * 16 * 40, (8 + 16 + 8) * 40, None)


def folder(root: Path) -> Path:
    (root / "a").mkdir(exist_ok=True)
    return root / "a"


def test_a_real_estimate_of_a_known_motion_is_cut_by_a_smaller_bound(make_record: MakeRecord, tmp_path: Path) -> None:
    """Everything slides 2 px to the right and 1 px down: a bound of 1.5 px cuts x, and 2.x px would hold it."""
    record = make_record()
    report = precompute(
        [record], tmp_path / "flow", FlowSettings(bound_px=1.5), pool=InThisProcess(), tell=lambda _: None
    )
    assert report.saturation is not None
    assert report.saturation.share == pytest.approx(0.5, abs=0.06)
    advised = report.saturation.advised_bound(1.5)
    assert advised is not None
    again = precompute(
        [record], tmp_path / "more", FlowSettings(bound_px=advised), pool=InThisProcess(), tell=lambda _: None
    )
    assert again.saturation is not None
    assert not again.saturation.is_high

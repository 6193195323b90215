from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torchvision.io import encode_jpeg

from vidcls.errors import DatasetError, FlowError
from vidcls.flow import FlowSettings, open_flow_store
from vidcls.flow.dense_flow_folder import DenseFlowFolder
from vidcls.types import VideoRecord
from vidcls.video import LocalFile

BOUND_PX = 20.0


def write_pictures(folder: Path, flow: Tensor, *, first_number: int = 1) -> None:
    """As the tool does it: codes by its formula, an x and a y JPEG per field."""
    folder.mkdir(parents=True)
    for t, field in enumerate(flow, start=first_number):
        codes = ((field + BOUND_PX) / (2 * BOUND_PX) * 255).round().clamp(0, 255).to(torch.uint8)
        for axis, plane in zip("xy", codes, strict=True):
            (folder / f"flow_{axis}_{t:05d}.jpg").write_bytes(encode_jpeg(plane[None], 95).numpy().tobytes())


def constant_fields(*vectors: tuple[float, float]) -> Tensor:
    return torch.tensor(vectors).view(-1, 2, 1, 1).expand(-1, 2, 16, 24)


def record_of(name: str) -> VideoRecord:
    return VideoRecord(source=LocalFile(Path(name)), label="walk", split="train", name=name)


@pytest.mark.parametrize("folder", ["walk/v_01", "walk/v_01.avi", "v_01"])
@pytest.mark.parametrize("first_number", [0, 1])
def test_pictures_come_back_as_pixels_in_order(tmp_path: Path, folder: str, first_number: int) -> None:
    flow = constant_fields((3, -5), (10, 0.5), (-20, 20))
    write_pictures(tmp_path / folder, flow, first_number=first_number)
    source = open_flow_store(tmp_path)
    assert isinstance(source, DenseFlowFolder)
    assert source.settings.method == "imported"
    record = record_of("walk/v_01.avi")
    assert source.num_fields(record) == 3
    half_a_step_px = BOUND_PX / 255
    torch.testing.assert_close(source.fields(record, [2, 0, 1]), flow[[2, 0, 1]], atol=half_a_step_px + 1e-4, rtol=0)


def test_no_motion_is_exactly_zero(tmp_path: Path) -> None:
    write_pictures(tmp_path / "a", constant_fields((0, 0)))
    assert not DenseFlowFolder(tmp_path).fields(record_of("a.mp4"), [0]).any()


def test_the_other_code_of_no_motion_can_be_told(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    for axis in "xy":
        picture = encode_jpeg(torch.full((1, 16, 16), 127, dtype=torch.uint8), 95)
        (folder / f"flow_{axis}_00001.jpg").write_bytes(picture.numpy().tobytes())
    assert not DenseFlowFolder(tmp_path, zero_code=127).fields(record_of("a.mp4"), [0]).any()
    as_written = DenseFlowFolder(tmp_path).fields(record_of("a.mp4"), [0])
    torch.testing.assert_close(as_written, torch.full_like(as_written, -20 / 255))


def test_the_number_of_a_picture_is_compared_as_a_number(tmp_path: Path) -> None:
    write_pictures(tmp_path / "a", constant_fields(*((float(t), 0.0) for t in range(12))))
    for path in (tmp_path / "a").iterdir():
        axis, number = path.stem.split("_")[1:]
        path.rename(path.with_name(f"flow_{axis}_{int(number)}.jpg"))
    fields = DenseFlowFolder(tmp_path).fields(record_of("a.mp4"), range(12))
    assert fields[:, 0, 0, 0].round().tolist() == list(range(12))


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    write_pictures(tmp_path / "a", constant_fields((1, 1), (2, 2), (3, 3)))
    source, record = DenseFlowFolder(tmp_path), record_of("a.mp4")
    with pytest.raises(FlowError, match=r"no flow of 'b\.mp4': looked for"):
        source.num_fields(record_of("b.mp4"))
    with pytest.raises(DatasetError, match="leads out of"):
        source.num_fields(record_of("../a.mp4"))
    with pytest.raises(IndexError, match="fields 0 to 2"):
        source.fields(record, [3])
    (tmp_path / "a" / "flow_y_00003.jpg").write_bytes(b"no picture")
    with pytest.raises(FlowError, match=r"flow_y_00003\.jpg cannot be read"):
        source.fields(record, [2])
    (tmp_path / "a" / "flow_x_00002.jpg").unlink()
    with pytest.raises(FlowError, match="leave out numbers"):
        source.fields(record, [0])


def test_the_bound_that_the_pictures_do_not_tell_can_be_said(tmp_path: Path) -> None:
    write_pictures(tmp_path / "a", constant_fields((10, -5)))
    said = FlowSettings(method="imported", bound_px=2 * BOUND_PX)
    source = open_flow_store(tmp_path, imported=said)
    assert source.settings == said
    found = source.fields(record_of("a.avi"), [0])
    torch.testing.assert_close(found, constant_fields((20.0, -10.0)), atol=2 * BOUND_PX / 255 + 1e-4, rtol=0)

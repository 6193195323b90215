from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
import torch

from vidcls.errors import FlowError
from vidcls.flow.middlebury import read_flo, write_flo


def test_a_field_survives_bit_for_bit(tmp_path: Path) -> None:
    flow = torch.randn(2, 5, 7)
    write_flo(tmp_path / "a.flo", flow)
    assert torch.equal(read_flo(tmp_path / "a.flo"), flow)


def test_the_bytes_are_those_of_the_format(tmp_path: Path) -> None:
    flow = torch.tensor([[[1.0, 2.0]], [[3.0, 4.0]]])  # x then y of two pixels in one row
    write_flo(tmp_path / "a.flo", flow)
    expected = struct.pack("<fii4f", 202021.25, 2, 1, 1, 3, 2, 4)
    assert (tmp_path / "a.flo").read_bytes() == expected


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "no .flo file"), (b"PIEG" + bytes(16), "no .flo file"), (b"PIEH" + struct.pack("<ii", 2, 2), "damaged")],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a.flo").write_bytes(content)
    with pytest.raises(FlowError, match=words):
        read_flo(tmp_path / "a.flo")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FlowError, match=r"none\.flo"):
        read_flo(tmp_path / "none.flo")


def test_a_published_field_is_read() -> None:
    if not (root := os.environ.get("VIDCLS_REAL_DATA")):
        pytest.skip("VIDCLS_REAL_DATA is not set")
    flow = read_flo(Path(root, "flow", "chairs", "00001_flow.flo"))
    assert flow.shape == (2, 384, 512)
    assert 0 < flow.abs().max() < 200

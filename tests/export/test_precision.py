"""int8: what is written on the way needs room, and what goes wrong there is one line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from vidcls.errors import ExportError

pytest.importorskip("onnx", reason="needs the extra export")
pytest.importorskip("onnxruntime", reason="needs the extra export")

from vidcls.export.precision import quantise


def test_a_full_disk_is_told_before_libraries_write_half_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m.onnx").write_bytes(bytes(1000))
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _place: usage._replace(free=3000))
    with pytest.raises(OSError, match=r"No space left on device: .*m.onnx"):
        quantise(tmp_path / "m.onnx", tmp_path / "m.onnx", [])


def test_a_graph_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"\x08\x0a\x3a\xff\xff")
    with pytest.raises(ExportError, match=r"^int8: the network cannot be quantised \(.*\): pass fp16 or fp32$"):
        quantise(tmp_path / "m.onnx", tmp_path / "m.onnx", [])
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]

"""What cannot be exported is refused before anything is computed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from vidcls.errors import ExportError, MissingExtraError
from vidcls.export.request import LEAST, check_output, check_packages


def test_a_missing_package_names_the_extra() -> None:
    def version_of(name: str) -> str:
        raise PackageNotFoundError(name)

    with pytest.raises(MissingExtraError, match=r"needs the package onnx: pip install 'vidcls\[export\]'"):
        check_packages(version_of)


def test_an_onnxscript_that_wrote_wrong_grus_is_refused() -> None:
    def version_of(name: str) -> str:
        return "0.6.9" if name == "onnxscript" else "99.0"

    with pytest.raises(MissingExtraError, match=r"needs onnxscript 0.7 or newer, found 0.6.9, which writes GRUs"):
        check_packages(version_of)
    check_packages({"onnx": "1.19.0", "onnxscript": "0.7.0.dev1", "onnxruntime": "1.22"}.__getitem__)


def test_the_extra_asks_for_the_versions_that_are_needed() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    for name, (major, minor) in LEAST.items():
        assert f'"{name}>={major}.{minor}"' in text


@pytest.mark.parametrize(
    ("output", "precision", "message"),
    [
        ("model.tflite", "fp32", r"suffix is '.tflite'; allowed are .onnx and .pt2"),
        ("model.pt2", "int8", r"int8 is written as .onnx alone: pass OUT.onnx, or --precision fp16"),
    ],
)
def test_what_no_exported_file_can_be_is_refused(output: str, precision: str, message: str) -> None:
    with pytest.raises(ExportError, match=message):
        check_output(Path(output), precision)

"""The script that compares two versions: what it calls equal, and what it names."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = Path(__file__).parents[2] / "scripts" / "same_numbers.py"
    spec = importlib.util.spec_from_file_location("same_numbers", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_of(folder: Path, *, loss: str = "0.5", score: str = "0.25", extra: str = "") -> Path:
    folder.mkdir()
    (folder / "metrics.csv").write_text(f"epoch,step,train/loss,val/loss,val/top1{extra}\n0,1,{loss},,\n0,1,,0.7,0.5\n")
    (folder / "test.csv").write_text(f"path,label,prediction,p_a\nx.avi,a,a,{score}\n")
    (folder / "predictions.csv").write_text(f"path,prediction,p_a\nx.avi,a,{score}\n")
    return folder


def test_equal_runs_differ_in_nothing_whatever_else_a_version_writes(script: ModuleType, tmp_path: Path) -> None:
    old, new = run_of(tmp_path / "old"), run_of(tmp_path / "new", extra=",train/top1")
    assert list(script.differences(old, new)) == []


def test_the_last_digit_counts_and_the_file_is_named(script: ModuleType, tmp_path: Path) -> None:
    old = run_of(tmp_path / "old")
    found = dict(script.differences(old, run_of(tmp_path / "loss", loss="0.50000001")))
    assert [*found] == ["metrics.csv"]
    assert "1 of 2 rows differ" in found["metrics.csv"]
    assert [*dict(script.differences(old, run_of(tmp_path / "score", score="0.25000001")))] == [
        "test.csv",
        "predictions.csv",
    ]

"""Milliseconds per clip: each way in a process of its own, alternately; what cannot run says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidcls.export.table import timing_lines
from vidcls.export.timing import Timing, measure, thread_counts


def test_the_table_has_a_row_for_each_way_and_a_column_for_each_number_of_threads() -> None:
    timings = [
        Timing("torch eager", 1, (3.0, 1.0, 2.0)),
        Timing("torch.compile", 1, reason="no C++ compiler"),
        Timing("file", 1, (0.5,)),
        Timing("torch eager", 4, (1.0,)),
        Timing("torch.compile", 4, reason="no C++ compiler"),
        Timing("file", 4, (0.25,)),
    ]
    head, eager, compiled, file = timing_lines(timings, ".onnx")
    assert head.split() == ["ms", "per", "clip", "1", "thread", "4", "threads"]
    assert eager.split() == ["torch", "eager", "2.00", "1.00"]
    assert compiled.split(maxsplit=3) == ["torch.compile", "-", "-", "(no C++ compiler)"]
    assert file.split() == [".onnx", "0.50", "0.25"]
    assert timing_lines([], ".onnx") == []


def test_a_way_that_cannot_run_says_why_and_the_others_are_measured(tmp_path: Path) -> None:
    said: list[str] = []
    gone = tmp_path / "gone.ckpt"
    timings = measure(gone, tmp_path / "gone.pt2", say=said.append, num_rounds=1, ways=("torch eager", "file"))
    assert len(timings) == 2 * len(thread_counts()) == len(said)
    assert all(timing.median is None for timing in timings)
    assert "gone.ckpt: no such checkpoint" in timings[0].reason
    assert "gone.pt2: no such file" in timings[1].reason


@pytest.mark.slow
def test_every_way_is_measured(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="needs the extra export")
    from export_cases import saved_checkpoint

    from vidcls.export.export import export

    checkpoint = saved_checkpoint(tmp_path)
    export(checkpoint, tmp_path / "model.onnx")
    timings = measure(checkpoint, tmp_path / "model.onnx", say=print, num_rounds=1)
    for timing in timings:
        assert (timing.median is None) == bool(timing.reason)
    assert all(timing.median for timing in timings if timing.way != "torch.compile")  # which needs a compiler

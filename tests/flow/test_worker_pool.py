from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from vidcls.flow.worker_pool import each_video
from vidcls.types import VideoRecord

JOBS = """
import os
import signal


def length_of_name(record):
    if record.label == "kills":
        os.kill(os.getpid(), signal.SIGKILL)
    if record.label == "raises":
        raise RuntimeError("no frames in " + record.name)
    return len(record.name)
"""


def test_a_dying_and_a_failing_job_are_named_and_all_others_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "jobs_of_a_test.py").write_text(JOBS)  # worker processes import it by name
    monkeypatch.syspath_prepend(tmp_path)
    jobs = importlib.import_module("jobs_of_a_test")
    try:
        records = [
            VideoRecord(path=Path(str(i)), label=label, split="train", name="x" * i)
            for i, label in enumerate(["", "", "kills", "", "raises", "", ""])
        ]
        outcomes = {o.record.name: o for o in each_video(jobs.length_of_name, records, num_workers=2)}
    finally:
        del sys.modules["jobs_of_a_test"]
    assert {name: o.result for name, o in outcomes.items() if o.error is None} == {"x" * i: i for i in (0, 1, 3, 5, 6)}
    assert type(outcomes["xx"].error).__name__ == "BrokenProcessPool"
    assert str(outcomes["xxxx"].error) == "no frames in xxxx"

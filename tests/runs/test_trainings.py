"""``run.json`` is read as it was written, and is never in the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidcls.runs.trainings import read_trainings, write_trainings


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    facts = [{"started": "2026-11-20T10:00:00+01:00", "from_step": 0}, {"started": "later", "from_step": 8}]
    write_trainings(tmp_path, facts)
    assert read_trainings(tmp_path) == facts


@pytest.mark.parametrize("content", ['{"trainings": [', "[]", '{"trainings": 3}', '{"trainings": [3]}', "{}"])
def test_a_damaged_file_is_no_obstacle(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    assert read_trainings(tmp_path) == []


def test_a_run_without_the_file_has_none(tmp_path: Path) -> None:
    assert read_trainings(tmp_path) == []

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vidcls.jobs.ledger import LEDGER_NAME, Ledger, read_ledger


def note(folder: Path, *videos: str) -> None:
    with Ledger(folder) as ledger:
        for video in videos:
            ledger.note(video, is_done=True, tries=2, seconds=0.5, node="host (10.0.0.1)", node_id="ab")


def test_later_commands_append_also_after_a_line_that_a_kill_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pread", raising=False)  # as on Windows
    note(tmp_path, "walk/a,b.mp4", "ü.mp4")
    whole = (tmp_path / LEDGER_NAME).read_text(encoding="utf-8")
    assert whole.splitlines()[0] == "finished,video,outcome,tries,seconds,node,node_id"
    (tmp_path / LEDGER_NAME).write_text(whole + "2026-11-29T10:00:00+00:00,c.m", encoding="utf-8")
    note(tmp_path, "d.mp4")
    rows = read_ledger(tmp_path)
    assert [row.video for row in rows] == ["walk/a,b.mp4", "ü.mp4", "d.mp4"]
    assert rows[0][2:] == ("done", 2, 0.5, "host (10.0.0.1)", "ab")


def test_without_a_folder_or_a_video_there_is_no_file(tmp_path: Path) -> None:
    with Ledger(tmp_path), Ledger(None) as nowhere:
        nowhere.note("a", is_done=False, tries=1, seconds=0.0, node="", node_id="")
    assert read_ledger(tmp_path) == []
    assert not list(tmp_path.iterdir())

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vidcls.checks.cache import CheckCache, CheckedVideo, default_folder
from vidcls.checks.unknown_groups import RISK, groups_text, unknown_group_findings
from vidcls.types import Split, VideoRecord
from vidcls.video import LocalFile
from vidcls.video.health import Health


def record(folder: Path, name: str, split: Split, group: str | None = None) -> VideoRecord:
    return VideoRecord(LocalFile(folder / name), name.split("/")[0], split, name, group)


@pytest.fixture
def cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[VideoRecord]:
    """Clips of eight source videos in two classes, each source in training and in the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    names = [f"{label}/src{s}_{clip}.mp4" for label in ("sit", "walk") for s in range(8) for clip in range(3)]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"some bytes")
    return [record(tmp_path, name, "test" if name.endswith("_2.mp4") else "train") for name in names]


def remember(records: list[VideoRecord], *, hashes: np.ndarray) -> None:
    """What a check would have kept."""
    cache = CheckCache(default_folder())
    for r, row in zip(records, hashes, strict=True):
        num_bytes, mtime_ns = r.source.stamp() or (0, 0)
        health = Health(picture_hashes=row.tobytes().hex(), content_digest=r.name)
        cache.add(r.source, CheckedVideo(num_bytes, mtime_ns, health))
    cache.save()


def test_where_no_group_is_known_it_is_said_with_a_guess_and_what_it_would_change(cut: list[VideoRecord]) -> None:
    (finding,) = unknown_group_findings(cut, takes_pattern=True)
    assert (finding.kind, finding.is_problem) == ("unknown groups", False)
    assert finding.lines == (
        "each of the 48 videos counts as a group of its own",
        r"a guess from the file names, which is not used: --data.dataset.group_pattern '([^/]+)_\d+\.'",
        "it gives 8 groups: src0 (6 videos, such as src0_0.mp4) and src1 (6 videos, such as src1_0.mp4), ...",
        "by it 16 of 16 test videos are of a group in training",
    )
    (plain,) = unknown_group_findings(cut, takes_pattern=False)
    assert plain.lines == finding.lines[:1]
    assert "group_pattern" not in plain.remedy


def test_where_some_groups_are_known_the_videos_without_one_are_named(tmp_path: Path) -> None:
    records = [record(tmp_path, "sit/a.mp4", "train", "x"), record(tmp_path, "sit/b.mp4", "test")]
    (finding,) = unknown_group_findings(records, takes_pattern=True)
    assert finding.lines == ("sit/b.mp4",)
    assert "1 of 2 videos" in finding.title
    assert list(unknown_group_findings(records[:1], takes_pattern=True)) == []


def test_a_training_repeats_what_a_check_found_of_the_files_as_they_are_now(cut: list[VideoRecord]) -> None:
    assert groups_text(cut) == f"not known: {RISK}"
    hashes = np.random.default_rng(0).integers(0, 2**63, (len(cut), 4), dtype=np.uint64)
    hashes[2] = hashes[0]
    remember(cut, hashes=hashes)
    assert groups_text(cut) == "not known; 1 of 16 test videos looks like a training video"
    (cut[5].path).write_bytes(b"other bytes")
    assert groups_text(cut) == f"not known: {RISK}"


def test_known_groups_are_counted(tmp_path: Path) -> None:
    records = [record(tmp_path, f"sit/{k}.mp4", "train" if k else "test", f"g{k % 2}") for k in range(4)]
    assert groups_text(records) == "2 groups of 4 videos"

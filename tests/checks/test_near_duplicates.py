from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from vidcls.checks.cache import CheckCache, CheckedVideo
from vidcls.checks.files import check_files
from vidcls.checks.near_duplicates import MOST_BITS, near_duplicate_findings, near_duplicates
from vidcls.datasets import VideoFolder
from vidcls.jobs import InThisProcess
from vidcls.types import Split, VideoRecord
from vidcls.video import LocalFile
from vidcls.video.health import Health
from vidcls.video.picture_hash import mirrored
from vidcls.video.source import VideoSource

RNG = np.random.default_rng(0)
HASHES = RNG.integers(0, 2**63, (6, 4), dtype=np.uint64)


def record(name: str, split: Split, group: str | None = None) -> VideoRecord:
    return VideoRecord(LocalFile(Path("/videos") / name), "walk", split, name, group)


def checked(*hashes: np.ndarray, content: str = "") -> CheckedVideo:
    text = np.concatenate([h.reshape(-1, 4) for h in hashes]).tobytes().hex() if hashes else ""
    return CheckedVideo(9, 9, Health(picture_hashes=text, content_digest=content))


def flipped(hashes: np.ndarray, num_bits: int) -> np.ndarray:
    """With the lowest bits of the last word inverted."""
    found = hashes.copy()
    found[..., -1] ^= np.uint64(2**num_bits - 1)
    return found


def test_the_nearest_training_video_of_each_is_found_by_its_nearest_frames() -> None:
    train, other = record("train", "train"), record("other", "train")
    near, far, twin = record("near", "test"), record("far", "test"), record("twin", "val")
    known: dict[VideoSource, CheckedVideo] = {
        train.source: checked(HASHES[:2]),
        other.source: checked(flipped(HASHES[1], MOST_BITS)),
        near.source: checked(HASHES[2], flipped(HASHES[1], 3)),
        far.source: checked(flipped(HASHES[0], MOST_BITS + 1)),
        twin.source: checked(mirrored(HASHES[:1])),
    }
    found = near_duplicates([train, other, near, far, twin], known)
    assert [(p.video.name, p.twin.name, p.num_bits, p.is_mirrored) for p in found] == [
        ("twin", "train", 0, True),
        ("near", "train", 3, False),
    ]
    (finding,) = near_duplicate_findings([train, other, near, far, twin], known)
    assert finding.is_problem
    assert finding.title == "1 of 2 test and 1 of 1 val videos look like a training video"
    assert finding.lines == (
        "twin (val) looks like train (mirrored)",
        "near (test) looks like train (3 of 256 bits differ)",
    )


def test_where_groups_say_that_they_are_of_two_sources_it_is_good_to_know_and_no_problem() -> None:
    train, test = record("train", "train", "monday"), record("test", "test", "friday")
    known: dict[VideoSource, CheckedVideo] = {r.source: checked(HASHES[0]) for r in (train, test)}
    (finding,) = near_duplicate_findings([train, test], known)
    assert not finding.is_problem


def test_copies_and_videos_of_one_group_which_other_findings_name_and_videos_without_hashes_are_left_out() -> None:
    train, copy = record("train", "train", "monday"), record("copy", "test")
    sibling, blank = record("sibling", "test", "monday"), record("blank", "test")
    known = {
        train.source: checked(HASHES[0], content="x"),
        copy.source: checked(HASHES[0], content="x"),
        sibling.source: checked(HASHES[0], content="y"),
        blank.source: checked(),
    }
    assert near_duplicates([train, copy, sibling, blank], known) == []
    assert near_duplicates([train], known) == []


@pytest.mark.slow
@pytest.mark.skipif("VIDCLS_REAL_DATA" not in os.environ, reason="VIDCLS_REAL_DATA is not set: the real clips")
def test_most_clips_of_a_session_are_found_again_and_few_of_other_sessions() -> None:
    root = Path(os.environ["VIDCLS_REAL_DATA"]) / "fall_overhead"
    records = VideoFolder(root, group_pattern=r"(\d+_\d+)_").records
    known = check_files(records, CheckCache(None), pool=InThisProcess(), most_seconds=60).by_source
    numbers = {"same": 0, "other": 0}
    for kind in numbers:
        for one in records[::4]:
            others = [r for r in records if r is not one and (r.group == one.group) == (kind == "same")]
            split = [VideoRecord(one.source, one.label, "test", one.name)]
            split += [VideoRecord(r.source, r.label, "train", r.name) for r in others]
            numbers[kind] += len(near_duplicates(split, known))
    assert numbers["same"] >= 0.7 * len(records[::4])
    assert numbers["other"] <= 0.05 * len(records[::4])

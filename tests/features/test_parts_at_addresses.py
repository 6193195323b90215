"""Features of parts of videos: videos, features, or both may lie at addresses, and each part has a file of its own."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from object_servers import BUCKET, put_folder
from small_features import computed

from vidcls.datasets import VideoCsv
from vidcls.features import FeatureStore
from vidcls.remote import place_of

SPANS = ("0,0.16", "0.16,0.32", ",")


@pytest.fixture
def listed(clip_folder: Path, tmp_path: Path) -> Path:
    """Two videos of two parts each, and the whole of each."""
    with (tmp_path / "parts.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "label", "start", "end"])
        for label in ("left", "right"):
            table.writerows([f"test/{label}/0.avi", label, *span.split(",")] for span in SPANS)
    return tmp_path / "parts.csv"


@pytest.mark.usefixtures("s3")
def test_they_are_those_of_the_same_parts_on_this_machine(listed: Path, clip_folder: Path, tmp_path: Path) -> None:
    put_folder(clip_folder, f"s3://{BUCKET}/videos")
    here = VideoCsv(listed, root=clip_folder, val_fraction=0, test_fraction=0).records
    there = VideoCsv(listed, root=f"s3://{BUCKET}/videos", val_fraction=0, test_fraction=0).records
    assert len({record.name for record in here}) == 6
    assert [record.name for record in there] == [record.name for record in here]
    expected, _ = computed(here, tmp_path / "features")
    for records, place in ((there, tmp_path / "local"), (here, f"s3://{BUCKET}/a"), (there, f"s3://{BUCKET}/b")):
        found, report = computed(records, place_of(place))
        assert (report.num_done, report.failures) == (6, [])
        again = FeatureStore(place_of(place), found.key)
        assert again.missing_of(records) == []
        for one, other in zip(here, records, strict=True):
            for level, tokens in again.read(other).items():
                assert torch.equal(tokens, expected.read(one)[level])
    first, second = (expected.read(record)["block4"] for record in here[:2])
    assert not torch.equal(first, second)

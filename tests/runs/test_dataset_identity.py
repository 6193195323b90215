"""Data sets of configurations are known again."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidcls.runs.dataset_identity import is_same_dataset, named_dataset


def test_an_address_is_the_same_place_in_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def at(root: str) -> dict[str, object]:
        return {"class_path": "vidcls.datasets.VideoFolder", "init_args": {"root": root}}

    named = named_dataset(at("s3://bucket/videos"))
    assert named is not None
    assert named.text == "VideoFolder s3://bucket/videos"
    identity = named.identity
    monkeypatch.chdir(tmp_path)
    assert named.identity == identity
    assert is_same_dataset(at("s3://bucket/videos/"), at("s3://bucket/videos"))
    assert not is_same_dataset(at("s3://bucket/videos"), at("s3://bucket/others"))

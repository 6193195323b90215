from __future__ import annotations

import pytest

from vidcls.datasets.split_words import splits_of
from vidcls.errors import DatasetError


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        ("train val test", "train val test"),
        ("Train Valid TEST", "train val test"),
        ("training testing validation", "train test val"),
        ("train_set test-set", "train test"),
        ("TrainSet ValidationSet testset", "train val test"),
        ("train dev test", "train val test"),
        ("trainval test", "train test"),
        ("videos_train videos_val", "train val"),
        ("train_videos test_videos", "train test"),
        ("train eval test", "train val test"),
        ("train val eval", "train val test"),
        ("ucf_train ucf_test", "train test"),
    ],
)
def test_usual_names_of_splits_are_understood(names: str, splits: str) -> None:
    assert splits_of(names.split()) == dict(zip(names.split(), splits.split(), strict=True))


@pytest.mark.parametrize("name", ["walk", "driving_test", "train station", "trains", "testify", "set", "videos", "123"])
def test_other_names_are_not_taken_for_splits(name: str) -> None:
    assert splits_of(["train", name]) == {"train": "train"}


def test_classes_with_such_a_word_in_their_names_are_no_splits() -> None:
    assert splits_of(["train_station", "driving_test", "walk"]) == {}
    assert splits_of(["train_station", "train_track"]) == {}


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("train eval", "eval could mean validation or test: rename it"),
        ("train val test eval", "eval could mean validation or test, and both are there"),
        ("trainval train", "trainval beside train"),
        ("trainval val test", "trainval beside val"),
    ],
)
def test_what_could_mean_two_splits_is_refused(names: str, words: str) -> None:
    with pytest.raises(DatasetError, match=words):
        splits_of(names.split())

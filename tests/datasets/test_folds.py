from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidcls.datasets import refold
from vidcls.datasets.folds import revalidate
from vidcls.errors import DatasetError
from vidcls.types import VideoRecord
from vidcls.video import LocalFile


def records_of(*groups: tuple[str | None, str]) -> list[VideoRecord]:
    """One record per label letter: ``("p0", "aab")`` is a group of two of class a and one of class b."""
    return [
        VideoRecord(LocalFile(Path(f"/x/{g}-{k}-{i}.mp4")), label, "train", f"{g}-{k}-{i}.mp4", g)
        for i, (g, labels) in enumerate(groups)
        for k, label in enumerate(labels)
    ]


PEOPLE = records_of(*((f"p{k}", "aabb") for k in range(9)))


@pytest.mark.parametrize("fold", range(9))
def test_as_many_folds_as_groups_leave_one_group_out_in_the_order_of_names(fold: int) -> None:
    cut = refold(PEOPLE, 9, fold)
    assert {r.group for r in cut if r.split == "test"} == {f"p{fold}"}
    assert len({r.group for r in cut if r.split == "val"}) == 1


def test_as_many_folds_as_videos_without_groups_leave_one_video_out() -> None:
    records = records_of((None, "aaabbb"))
    assert [[r.name for r in refold(records, 6, fold) if r.split == "test"] for fold in range(6)] == [
        [r.name] for r in sorted(records, key=lambda r: r.name)
    ]


def test_folds_are_balanced_by_class_without_groups() -> None:
    records = records_of((None, "a" * 30 + "b" * 10))
    for fold in range(5):
        test = [r.label for r in refold(records, 5, fold) if r.split == "test"]
        assert (test.count("a"), test.count("b")) == (6, 2)


def test_old_splits_are_forgotten() -> None:
    cut = refold(PEOPLE, 3, 1)
    assert refold(cut, 3, 1) == cut
    assert refold(cut, 3, 2) == refold(PEOPLE, 3, 2)


def test_a_seed_gives_the_same_folds_again_and_another_gives_others() -> None:
    assert refold(PEOPLE, 3, 0, seed=4) == refold(PEOPLE, 3, 0, seed=4)
    assert len({tuple(r.split for r in refold(PEOPLE, 3, 0, seed=seed)) for seed in range(5)}) > 1


def test_validation_is_about_its_share_of_the_training_part() -> None:
    records = records_of(*((f"p{k:02d}", "aabbcc") for k in range(50)))
    cut = refold(records, 5, 0, val_fraction=0.2)
    assert [sum(r.split == split for r in cut) for split in ("train", "val", "test")] == [192, 48, 60]


@pytest.mark.parametrize(
    ("num_folds", "fold", "words"), [(1, 0, "at least 2 folds"), (3, 3, "expected 0 to 2"), (3, -1, "expected 0 to 2")]
)
def test_a_fold_that_does_not_exist_is_refused(num_folds: int, fold: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        refold(PEOPLE, num_folds, fold)


def test_fewer_groups_than_folds_is_an_error_that_says_how_many() -> None:
    with pytest.raises(DatasetError, match=r"10 folds need at least 10 groups, found 9: p0, .* and 4 more; lower"):
        refold(PEOPLE, 10, 0)


def test_a_class_of_one_group_cannot_be_tested_and_trained() -> None:
    records = records_of(("p0", "aac"), ("p1", "aab"), ("p2", "abb"))
    with pytest.raises(DatasetError, match="fold 0 of 3 would test classes that it cannot train: c occurs in its test"):
        refold(records, 3, 0)


def test_two_groups_leave_none_for_validation() -> None:
    with pytest.raises(DatasetError, match="no group is left for validation in fold 1 of 2: 1 groups remain"):
        refold(records_of(("p0", "ab"), ("p1", "ab")), 2, 1)


def test_a_class_that_the_test_part_lacks_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    records = records_of(("p0", "ab"), ("p1", "abc"), ("p2", "abc"), ("p3", "abc"))
    with caplog.at_level(logging.WARNING):
        refold(records, 4, 0)
    assert "fold 0 of 4: the test split has no video of: c" in caplog.text


@settings(max_examples=60)
@given(
    groups=st.lists(st.tuples(st.none() | st.sampled_from("pqrstuvw"), st.sampled_from("abc")), max_size=50),
    num_folds=st.integers(2, 6),
    seed=st.integers(0, 3),
)
def test_every_video_is_tested_once_and_no_group_is_in_two_parts(
    groups: list[tuple[str | None, str]], num_folds: int, seed: int
) -> None:
    records = records_of(*groups)
    tested: list[str] = []
    for fold in range(num_folds):
        try:
            cut = refold(records, num_folds, fold, seed=seed)
        except DatasetError:  # too few groups, or a class in one fold alone
            return
        assert [(r.name, r.label, r.group) for r in cut] == [(r.name, r.label, r.group) for r in records]
        parts_of: dict[str, set[str]] = {}
        for record in cut:
            parts_of.setdefault(record.group or record.name, set()).add(record.split)
        assert all(len(parts) == 1 for parts in parts_of.values())
        assert {r.label for r in cut if r.split == "train"} == {r.label for r in records}
        tested += [r.name for r in cut if r.split == "test"]
    assert sorted(tested) == sorted(r.name for r in records)


def test_folds_of_validation_leave_the_test_as_it_is_and_validate_every_other_group_once() -> None:
    cut = refold(PEOPLE, 3, 1)
    tested = [r for r in cut if r.split == "test"]
    validated: list[str | None] = []
    for fold in range(3):
        again = revalidate(cut, 3, fold)
        assert [r.name for r in again] == [r.name for r in cut]
        assert [r for r in again if r.split == "test"] == tested
        of_val = {r.group for r in again if r.split == "val"}
        assert not of_val & {r.group for r in again if r.split == "train"}
        validated += sorted(of_val, key=str)
    assert sorted(validated, key=str) == sorted({r.group for r in cut if r.split != "test"}, key=str)
    with pytest.raises(ValueError, match="val_fold is 3"):
        revalidate(cut, 3, 3)
    with pytest.raises(DatasetError, match=r"lower --data\.val_folds"):
        revalidate(cut, 7, 0)

"""Properties of every cut, over random data sets: groups within classes, across classes, of any size, or none."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidcls.datasets import refold
from vidcls.datasets.entries import Entry
from vidcls.datasets.entry_table import EntryTable
from vidcls.datasets.splits import cut, cut_validation
from vidcls.datasets.unit_choice import choose_units
from vidcls.errors import DatasetError
from vidcls.types import VideoRecord
from vidcls.video import LocalFile

Rows = list[tuple[str, str | None]]  # label, group
ROWS = st.lists(
    st.tuples(st.sampled_from("abc"), st.none() | st.sampled_from([f"g{k}" for k in range(8)])), max_size=60
)


def entries_of(rows: Rows) -> list[Entry]:
    return [Entry(f"/x/{k}.mp4", label, f"{k}.mp4", group=group) for k, (label, group) in enumerate(rows)]


@settings(deadline=None)
@given(rows=ROWS, val=st.floats(0, 0.4), test=st.floats(0, 0.4), seed=st.integers(0, 5))
def test_a_cut_keeps_groups_whole_and_something_of_every_class_to_train_on(
    rows: Rows, val: float, test: float, seed: int
) -> None:
    entries = EntryTable.of(entries_of(rows))
    try:
        cut(entries, val_fraction=val, test_fraction=test, seed=seed, source="x")
    except DatasetError:
        assert len({entry.unit for entry in entries}) < 12  # only where groups are few
        return
    splits_of: dict[str, set[str | None]] = {}
    for entry in entries:
        splits_of.setdefault(entry.unit, set()).add(entry.split)
    assert all(len(splits) == 1 for splits in splits_of.values())
    assert {entry.label for entry in entries if entry.split == "train"} == {label for label, _ in rows}
    assert [(entry.label, entry.group) for entry in entries] == rows


@settings(deadline=None)
@given(rows=ROWS, seed=st.integers(0, 5))
def test_validation_comes_from_training_alone(rows: Rows, seed: int) -> None:
    entries = entries_of(rows)
    tested = {entry.unit for entry in entries[: len(entries) // 3]}
    for entry in entries:
        entry.split = "test" if entry.unit in tested else "train"
    table = EntryTable.of(entries)
    before = [entry.name for entry in table if entry.split == "test"]
    try:
        cut_validation(table, val_fraction=0.2, seed=seed, source="x")
    except DatasetError:
        return
    assert [entry.name for entry in table if entry.split == "test"] == before


@settings(deadline=None)
@given(
    numbers=st.lists(st.integers(1, 50), min_size=1, max_size=4),
    fraction=st.floats(0.01, 0.6),
    salt=st.text(max_size=3),
)
def test_without_groups_each_class_gives_its_share_to_the_nearest_video(
    numbers: list[int], fraction: float, salt: str
) -> None:
    labels = [str(k) for k, number in enumerate(numbers) for _ in range(number)]
    units = [str(k) for k in range(len(labels))]
    chosen = choose_units(labels, units, fraction=fraction, salt=salt)
    taken = Counter(label for label, unit in zip(labels, units, strict=True) if unit in chosen)
    for k, number in enumerate(numbers):
        assert taken[str(k)] <= number - 1
        assert abs(taken[str(k)] - fraction * number) <= 0.5 or taken[str(k)] in (1, number - 1)


@settings(deadline=None)
@given(rows=ROWS, num_folds=st.integers(2, 6), seed=st.integers(0, 3))
def test_folds_test_every_video_once_and_never_split_a_group(rows: Rows, num_folds: int, seed: int) -> None:
    records = [
        VideoRecord(LocalFile(Path(f"/x/{k}.mp4")), label, "train", f"{k}.mp4", group)
        for k, (label, group) in enumerate(rows)
    ]
    tested: Counter[str] = Counter()
    for fold in range(num_folds):
        try:
            refolded = refold(records, num_folds, fold, seed=seed)
        except DatasetError:
            return
        assert [(r.name, r.label, r.group) for r in refolded] == [(r.name, r.label, r.group) for r in records]
        splits_of: dict[str | None, set[str]] = {}
        for record in refolded:
            splits_of.setdefault(record.group if record.group is not None else record.name, set()).add(record.split)
        assert all(len(splits) == 1 for splits in splits_of.values())
        assert {r.label for r in refolded if r.split == "train"} == {label for label, _ in rows}
        assert {r.split for r in refolded} == {"train", "val", "test"}
        tested.update(r.name for r in refolded if r.split == "test")
    assert set(tested.values()) <= {1}
    assert len(tested) == len(rows)


def test_the_cut_is_the_same_on_every_machine() -> None:
    entries = EntryTable.of(entries_of([(label, None) for label in "aaaaabbbbb"]))
    cut(entries, val_fraction=0.2, test_fraction=0.2, seed=0, source="x")
    cut_off = {entry.name: entry.split for entry in entries if entry.split != "train"}
    assert cut_off == {"0.mp4": "val", "1.mp4": "test", "7.mp4": "val", "9.mp4": "test"}


def test_one_huge_group_is_not_taken_where_a_small_one_will_do() -> None:
    labels = ["a"] * 90 + ["a"] * 10
    units = ["huge"] * 90 + [f"small{k // 2}" for k in range(10)]
    for salt in "0123456789":
        assert "huge" not in choose_units(labels, units, fraction=0.04, salt=salt)


@pytest.mark.parametrize(("val", "test", "part"), [(0.1, 0.1, "test"), (0.1, 0.0, "val")])
def test_too_few_groups_for_a_part_is_an_error_that_names_the_part(val: float, test: float, part: str) -> None:
    entries = EntryTable.of(entries_of([("a", "g"), ("b", "g")]))
    with pytest.raises(
        DatasetError, match=f"too few videos to cut a {part} split .*2 videos in 1 groups.*{part}_fraction to 0"
    ):
        cut(entries, val_fraction=val, test_fraction=test, seed=0, source="clips.csv")

"""Splits that were cut once stay as they are: known answers for random data sets of every shape."""

import hashlib
import random
from collections import Counter
from pathlib import Path

import pytest

from vidcls.datasets import VideoCsv
from vidcls.datasets.base import checked_records
from vidcls.datasets.entries import Entry
from vidcls.datasets.unit_choice import choose_units
from vidcls.errors import DatasetError


def digest(lines: list[str]) -> str:
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=8).hexdigest()


def random_entries(seed: int) -> list[Entry]:
    """Videos of few or many classes, alone or in groups of any size within or across classes, some of several."""
    draw = random.Random(seed)
    classes = [f"class {number}" for number in range(draw.choice((2, 3, 12)))]
    num_groups = draw.choice((0, 5, 40, 200))
    across, several = draw.random() < 0.5, draw.random() < 0.3
    entries = []
    for number in range(draw.choice((8, 60, 400))):
        label = draw.choice(classes[: 1 + number % len(classes)])
        group = f"{'' if across else label}/{draw.randrange(num_groups)}" if num_groups else None
        names = tuple(draw.sample(classes, draw.randrange(3))) if several and draw.random() < 0.5 else None
        entry = Entry(f"/data/{number}.mp4", label, f"{number}.mp4", None, group, "list.csv", number + 2)
        entry.several = names
        entries.append(entry)
    return entries


def answer(entries: list[Entry], *, val: float, test: float, seed: int) -> str:
    try:
        records = checked_records(
            entries, source="data", val_fraction=val, test_fraction=test, seed=seed, files_exist=True
        )
    except DatasetError as error:
        return str(error)
    return " ".join(f"{record.name} {record.split}" for record in records)


def test_the_three_splits_of_random_data_sets_are_those_of_the_first_version() -> None:
    answers = [
        answer(random_entries(seed), val=val, test=test, seed=seed % 3)
        for seed in range(120)
        for val, test in ((0.15, 0.15), (0.3, 0.0))
    ]
    assert sum("train" in text and "val" in text for text in answers) > 150
    assert digest(answers) == "249267ceccd5ee71"


def test_a_validation_cut_from_training_is_that_of_the_first_version() -> None:
    answers = []
    for seed in range(60):
        entries = random_entries(seed)
        for entry in entries:
            unit = entry.group if entry.group is not None else entry.name
            entry.split = "test" if hashlib.md5(unit.encode()).digest()[0] < 60 else "train"
        answers.append(answer(entries, val=0.1, test=0.0, seed=seed))
    assert digest(answers) == "e935c178f66669dd"


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
def test_chosen_units_are_those_of_the_first_version(fraction: float) -> None:
    lines = []
    for seed in range(100):
        draw = random.Random(seed)
        number = draw.choice((4, 30, 300))
        labels = [f"c{int(draw.random() ** 2 * 7)}" for _ in range(number)]
        units = [f"unit {draw.randrange(max(2, number // draw.choice((1, 3, 20))))}" for _ in range(number)]
        lines.append(",".join(sorted(choose_units(labels, units, fraction=fraction, salt=f"{seed}/val"))))
    assert digest(lines) == {0.1: "e59702adcd1d2b5e", 0.5: "7042e2af6dc02e85", 0.9: "89a2f95b15995650"}[fraction]


def test_the_splits_of_a_list_are_those_of_the_first_version(tmp_path: Path) -> None:
    draw, lines = random.Random(5), ["path,label,group"]
    for number in range(300):
        (tmp_path / f"{number}.mp4").touch()
        lines.append(f"{number}.mp4,{draw.choice(('walk', 'sit', 'fall'))},person {draw.randrange(40)}")
    (tmp_path / "clips.csv").write_text("\n".join(lines) + "\n")
    records = VideoCsv(tmp_path / "clips.csv", seed=3).records
    assert Counter(record.split for record in records) == {"train": 201, "val": 50, "test": 49}
    assert digest([f"{record.name} {record.split}" for record in records]) == "15e27ad66a48aecd"

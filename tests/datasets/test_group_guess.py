from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from vidcls.datasets import VideoFolder
from vidcls.datasets.group_guess import guessed_group_pattern
from vidcls.datasets.groups import KnownGroups
from vidcls.types import VideoRecord
from vidcls.video import LocalFile

Files = Callable[[Path, Iterable[str]], None]
LABELS = ("sit", "walk")


def records(names: Iterable[str]) -> list[VideoRecord]:
    return [
        VideoRecord(LocalFile(Path("/v") / name), name.split("/")[0], "test" if k % 5 == 0 else "train", name)
        for k, name in enumerate(names)
    ]


@pytest.mark.parametrize(
    ("name", "num_groups", "first"),
    [
        ("{label}/src{source}_{clip}.mp4", 8, "src0"),
        ("{label}/20200620_15431{source}_{clip:05}_{source:05}.mp4", 8, "20200620_154310"),
        ("{label}/person{source:02}_{label}_d{clip}_uncomp.avi", 8, "person00"),
        ("{label}/v_{label}_g{source:02}_c{clip:02}.avi", 16, "v_sit_g00"),
        ("{label}/home yard{source}-part{clip}.mp4", 8, "home yard0"),
        ("{label}/a.b{source}.{clip}.mp4", 8, "a.b0"),
    ],
)
def test_the_part_of_a_name_that_several_videos_share_is_the_guess(name: str, num_groups: int, first: str) -> None:
    listed = [name.format(label=label, source=s, clip=c) for label in LABELS for s in range(8) for c in range(4)]
    guess = guessed_group_pattern(records(listed))
    assert guess is not None
    assert len(guess.groups) == num_groups
    assert next(iter(guess.groups)) == first
    assert guess.num_shared_in_test == sum(record.split == "test" for record in records(listed))


@pytest.mark.parametrize(
    "name",
    [
        "{label}/{label}_{clip:03}.mp4",  # the class again
        "{label}/IMG_{clip:04}.mp4",  # constant
        "{label}/clip{clip}.mp4",  # no parts
        "{label}/{clip:03}_{label}.mp4",  # the classes, or two videos by chance of numbering
        "{label}/{label}{clip}-{clip}.mp4",  # each alone
    ],
)
def test_no_guess_is_made_where_none_makes_sense(name: str) -> None:
    listed = [name.format(label=label, clip=c + 100 * k) for k, label in enumerate(LABELS) for c in range(40)]
    assert guessed_group_pattern(records(listed)) is None


def test_the_guess_as_typed_gives_these_groups_and_one_name_that_does_not_match_rules_it_out(
    tmp_path: Path, files: Files
) -> None:
    names = [f"{label}/src{s}_{c}.mp4" for label in LABELS for s in range(8) for c in range(3)]
    files(tmp_path, names)
    guess = guessed_group_pattern(VideoFolder(tmp_path).records)
    assert guess is not None
    assert guess.option == r"--data.dataset.group_pattern '([^/]+)_\d+\.'"
    told = VideoFolder(tmp_path, group_pattern=guess.pattern).records
    assert {record.group for record in told} == set(guess.groups)
    assert guessed_group_pattern(told) is None
    assert guessed_group_pattern(records([*names, "sit/another.mp4"])) is None


def test_what_is_known_of_groups_in_words() -> None:
    assert KnownGroups.of([]).text == "not known"
    assert KnownGroups.of(["", None]).text == "not known"
    assert KnownGroups.of(["a", "a"]).text == "1 group of 2 videos"
    assert KnownGroups.of(["a", "b", "a", ""]).text == "2 groups of 3 videos; not known for 1 other"

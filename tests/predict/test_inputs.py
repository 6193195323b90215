"""Which files a command line means."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidcls.errors import DatasetError
from vidcls.predict.inputs import find_videos, names_below_common_folder


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """``a.mp4 b.txt deep/c.AVI deep/.hidden.mp4 [x].mp4 empty/``."""
    for name in ("a.mp4", "b.txt", "deep/c.AVI", "deep/.hidden.mp4", "[x].mp4", "empty/readme.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_a_folder_gives_the_videos_below_it_sorted(tree: Path) -> None:
    assert find_videos([str(tree)]) == [tree / "[x].mp4", tree / "a.mp4", tree / "deep" / "c.AVI"]


def test_a_file_is_taken_whatever_its_suffix_and_though_its_name_looks_like_a_pattern(tree: Path) -> None:
    assert find_videos([str(tree / "b.txt"), str(tree / "[x].mp4")]) == [tree / "b.txt", tree / "[x].mp4"]


def test_a_pattern_gives_the_videos_that_match_and_those_in_folders_that_match(tree: Path) -> None:
    assert find_videos([str(tree / "?.*")]) == [tree / "a.mp4"]
    assert find_videos([str(tree / "de*")]) == [tree / "deep" / "c.AVI"]
    assert find_videos([str(tree / "**" / "*.AVI")]) == [tree / "deep" / "c.AVI"]


def test_a_video_that_is_meant_twice_is_there_once_at_its_first_place(tree: Path) -> None:
    (tree / "link.mp4").symlink_to(tree / "a.mp4")
    assert find_videos([str(tree / "deep"), str(tree / "a.mp4"), str(tree)])[:2] == [
        tree / "deep" / "c.AVI",
        tree / "a.mp4",
    ]
    assert len(find_videos([str(tree), str(tree / "link.mp4")])) == 3


@pytest.mark.parametrize(
    ("name", "words"), [("gone.mp4", "no such file or folder"), ("empty", "no video in"), ("*.mkv", "no video matches")]
)
def test_what_gives_no_video_is_an_error_with_the_path(tree: Path, name: str, words: str) -> None:
    with pytest.raises(DatasetError, match=words) as caught:
        find_videos([str(tree / "a.mp4"), str(tree / name)])
    assert str(tree / name) in str(caught.value)


def test_names_are_relative_to_the_folder_that_all_share() -> None:
    assert names_below_common_folder([Path("x/a.mp4")]) == ["a.mp4"]
    assert names_below_common_folder([Path("x/a.mp4"), Path("x/y/a.mp4"), Path("x/z/../b.mp4")]) == [
        "a.mp4",
        "y/a.mp4",
        "b.mp4",
    ]

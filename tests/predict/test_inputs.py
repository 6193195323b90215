"""Which files a command line means."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vidcls.errors import ConfigurationError, DatasetError
from vidcls.predict.inputs import find_videos, names_below_common_folder, video_file


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


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("https://example.org/v.mp4", r"^https://example\.org/v\.mp4: is an address, .*add --allow-remote https"),
        ("s3://bucket/v.mp4", r"^s3://bucket/v\.mp4: is an address, and none is read without permission"),
        ("rtsp://camera/stream", r"^rtsp://camera/stream: is a live stream; .*record it first"),
        ("file:///tmp/v.mp4", r"^file:///tmp/v\.mp4: is an address of this machine: pass the path after file://"),
        ("-", "^-: means standard input; .*write the video to a file first"),
        ("/dev/null", "^/dev/null: is a pipe or a device"),
        ("pipe", "^pipe: is a pipe or a device"),
        ("0", "^0: looks like the number of a camera; .*record it first"),
        ("@l.txt", r'^@l\.txt: looks like a list of files; .*cat "l\.txt"'),
        ("l.txt", r"^l\.txt: is a list and no video"),
        ("frames", r"frames: has 3 pictures and no video; .*ffmpeg -framerate"),
    ],
)
def test_what_is_no_file_is_refused_in_a_line_that_says_what_is_possible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    Path("l.txt").write_text("a.mp4\nb.mp4\n")
    Path("frames").mkdir()
    for k in range(3):
        Path(f"frames/img_{k}.jpg").touch()
    with pytest.raises((DatasetError, ConfigurationError), match=words) as caught:
        find_videos([name])
    assert "\n" not in str(caught.value)
    if name not in ("frames", "l.txt"):
        with pytest.raises((DatasetError, ConfigurationError), match=words):
            video_file(name)


def test_a_file_whose_name_looks_like_something_else_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("0", "@home.mp4"):
        Path(name).touch()
        assert find_videos([name]) == [Path(name)]
        assert video_file(name) == Path(name)
    with pytest.raises(DatasetError, match="is a folder; name one video in it"):
        video_file(str(tmp_path))

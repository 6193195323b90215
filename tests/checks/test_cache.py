from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from vidcls.checks import cache as check_cache
from vidcls.checks.cache import CheckCache, CheckedVideo, known_bad
from vidcls.types import VideoRecord
from vidcls.video import LocalFile
from vidcls.video.health import Health


def checked(path: Path, fault: str = "", **more: object) -> CheckedVideo:
    status = path.stat()
    health = Health(fault, "for a test", digest="ab", stream_kinds=("audio", "video"))  # type: ignore[arg-type]
    return CheckedVideo(status.st_size, status.st_mtime_ns, health, **more)  # type: ignore[arg-type]


@pytest.fixture
def video(tmp_path: Path) -> Path:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").write_bytes(b"some bytes")
    return tmp_path / "videos" / "a.mp4"


def test_what_was_found_is_found_again_by_another_process_until_the_file_changes(tmp_path: Path, video: Path) -> None:
    cache = CheckCache(tmp_path / "cache")
    cache.add(video, checked(video))
    cache.save()
    assert CheckCache(tmp_path / "cache").find(video) == checked(video)
    assert CheckCache(tmp_path / "cache").find(video.with_name("b.mp4")) is None
    before = video.stat()
    video.write_bytes(b"some other")  # as many bytes
    os.utime(video, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert CheckCache(tmp_path / "cache").find(video) is None
    video.unlink()
    assert CheckCache(tmp_path / "cache").find(video) is None


def test_a_file_that_was_read_by_other_decoders_counts_as_never_read(
    tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = CheckCache(tmp_path / "cache", decoder="pyav")
    cache.add(video, checked(video))
    cache.save()
    assert CheckCache(tmp_path / "cache", decoder="pyav").find(video) is not None
    assert CheckCache(tmp_path / "cache").find(video) is None
    monkeypatch.setattr(check_cache, "decoder_versions", lambda: {"av": "99"})
    assert CheckCache(tmp_path / "cache", decoder="pyav").find(video) is None


def test_what_was_not_finished_in_time_is_done_again_where_there_is_more_time(tmp_path: Path, video: Path) -> None:
    cache = CheckCache(None)
    cache.add(video, checked(video, "hang", most_seconds=60.0))
    assert cache.find(video, most_seconds=60.0) is not None
    assert cache.find(video, most_seconds=61.0) is None


@pytest.mark.parametrize("content", ["", "[]", "{", '{"format": 1}', '{"videos": 3}', '{"format": 1, "decoders": 3}'])
def test_a_damaged_cache_is_an_empty_one_and_is_written_anew(tmp_path: Path, video: Path, content: str) -> None:
    cache = CheckCache(tmp_path / "cache")
    cache.add(video, checked(video))
    cache.save()
    (file,) = (tmp_path / "cache").iterdir()
    file.write_text(content)
    cache = CheckCache(tmp_path / "cache")
    assert cache.find(video) is None
    cache.add(video, checked(video))
    cache.save()
    assert json.loads(file.read_text())["folder"] == str(video.parent)
    assert CheckCache(tmp_path / "cache").find(video) is not None


@pytest.mark.parametrize("health", [3, None, {}, {"stream_kinds": 3}, {"stream_kinds": [], "unknown": 1}])
def test_a_damaged_entry_makes_the_cache_an_empty_one(tmp_path: Path, video: Path, health: object) -> None:
    cache = CheckCache(tmp_path / "cache")
    cache.add(video, checked(video))
    cache.save()
    (file,) = (tmp_path / "cache").iterdir()
    plain = json.loads(file.read_text())
    plain["videos"]["a.mp4"]["health"] = health
    file.write_text(json.dumps(plain))
    assert CheckCache(tmp_path / "cache").find(video) is None


def test_without_a_folder_nothing_is_written(tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cache = CheckCache(None)
    cache.add(video, checked(video))
    cache.save()
    assert [item.name for item in tmp_path.iterdir()] == ["videos"]


def test_known_bad_are_the_unreadable_files_that_have_not_changed(
    tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    names = ("sound", "bad", "repaired", "never")
    paths = {name: video.with_name(f"{name}.mp4") for name in names}
    for path in paths.values():
        path.write_bytes(b"some bytes")
    records = [VideoRecord(source=LocalFile(path), label="", split="train", name=name) for name, path in paths.items()]
    assert known_bad(records) == {}
    cache = CheckCache(check_cache.default_folder())
    for name, fault in (("sound", ""), ("bad", "crash"), ("repaired", "damaged")):
        cache.add(paths[name], checked(paths[name], fault))
    cache.save()
    paths["repaired"].write_bytes(b"more bytes than before")
    assert known_bad(records) == {paths["bad"]: "for a test"}
    assert known_bad(records, decoder="pyav") == {}


def test_of_two_checks_at_once_both_results_are_kept(tmp_path: Path, video: Path) -> None:
    other = video.with_name("b.mp4")
    other.write_bytes(b"more bytes")
    first, second = CheckCache(tmp_path / "cache"), CheckCache(tmp_path / "cache")
    assert first.find(video) is None and second.find(other) is None  # noqa: PT018 - both have looked
    first.add(video, checked(video))
    second.add(other, checked(other))
    first.save()
    second.save()
    found = CheckCache(tmp_path / "cache")
    assert (found.find(video), found.find(other)) == (checked(video), checked(other))


def test_a_cache_that_cannot_be_written_is_said_once_and_what_was_found_stays(
    tmp_path: Path, video: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    cache = CheckCache(tmp_path / "file" / "cache")
    for _ in range(2):
        cache.add(video, checked(video))
        cache.save()
    (said,) = [record.getMessage() for record in caplog.records]
    assert f"{tmp_path / 'file' / 'cache'} cannot be written to" in said
    assert "--cache FOLDER" in said
    assert cache.find(video) == checked(video)

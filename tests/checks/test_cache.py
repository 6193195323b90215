from __future__ import annotations

import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from vidcls.checks import cache as check_cache
from vidcls.checks.cache import CheckCache, CheckedVideo, known_bad
from vidcls.types import VideoRecord
from vidcls.video import BytesInMemory, LocalFile
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


@pytest.mark.parametrize(
    "content", [b"no database at all, though long enough to have a header " * 50, b"SQLite format 3\0" * 200]
)
@pytest.mark.parametrize("looks_first", [True, False])
def test_a_damaged_cache_is_replaced_and_that_is_said_in_one_line(
    tmp_path: Path, video: Path, content: bytes, looks_first: bool, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "cache" / check_cache.FILE_NAME
    file.parent.mkdir()
    file.write_bytes(content)
    cache = CheckCache(tmp_path / "cache")
    if looks_first:
        assert cache.find(video) is None
    cache.add(video, checked(video))
    cache.save()
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith(f"{file}: is damaged")
    assert CheckCache(tmp_path / "cache").find(video) == checked(video)
    assert len(caplog.records) == 1


def test_an_empty_file_is_filled_and_the_tables_of_another_program_are_replaced(
    tmp_path: Path, video: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "cache" / check_cache.FILE_NAME
    file.parent.mkdir()
    for statement in ("", "CREATE TABLE videos (title TEXT)"):
        file.unlink(missing_ok=True)
        with closing(sqlite3.connect(file)) as database, database:
            database.execute(statement or "SELECT 1")
        cache = CheckCache(tmp_path / "cache")
        assert cache.find(video) is None
        assert not caplog.records  # of a file that has no tables yet, another process may be making them
        cache.add(video, checked(video))
        cache.save()
        assert len(caplog.records) == bool(statement)
        assert CheckCache(tmp_path / "cache").find(video) == checked(video)


@pytest.mark.parametrize(
    "health", ["3", "null", "{}", '{"stream_kinds": 3}', '{"stream_kinds": [], "unknown": 1}', "{"]
)
def test_a_damaged_row_makes_its_file_an_unknown_one(tmp_path: Path, video: Path, health: str) -> None:
    other = video.with_name("b.mp4")
    other.write_bytes(b"more bytes")
    cache = CheckCache(tmp_path / "cache")
    for path in (video, other):
        cache.add(path, checked(path))
    cache.save()
    with closing(sqlite3.connect(tmp_path / "cache" / check_cache.FILE_NAME)) as database, database:
        database.execute("UPDATE videos SET health = ? WHERE name = ?", (health, b"a.mp4"))
    cache = CheckCache(tmp_path / "cache")
    assert (cache.find(video), cache.find(other)) == (None, checked(other))


def test_processes_that_save_at_the_same_time_wait_for_each_other(tmp_path: Path, video: Path) -> None:
    paths = [video.with_name(f"{k}.mp4") for k in range(8)]
    for path in paths:
        path.write_bytes(b"some bytes")

    def save(path: Path) -> None:
        cache = CheckCache(tmp_path / "cache")
        cache.add(path, checked(path))
        cache.save()

    file = tmp_path / "cache" / check_cache.FILE_NAME
    save(video)
    with ThreadPoolExecutor(8) as threads:
        with closing(sqlite3.connect(file, isolation_level=None)) as busy:
            busy.execute("BEGIN IMMEDIATE")
            saving = [threads.submit(save, path) for path in paths]
            busy.execute("COMMIT")
        for done in saving:
            done.result()
    found = CheckCache(tmp_path / "cache")
    assert all(found.find(path) == checked(path) for path in [video, *paths])


def test_without_a_folder_nothing_is_written(tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cache = CheckCache(None)
    cache.add(video, checked(video))
    cache.save()
    assert [item.name for item in tmp_path.iterdir()] == ["videos"]


def test_of_videos_in_memory_nothing_is_kept(tmp_path: Path) -> None:
    cache = CheckCache(tmp_path / "cache")
    cache.add(BytesInMemory(b"aaaa"), CheckedVideo(4, 0, Health("undecodable", "for a test")))
    cache.save()
    assert cache.find(BytesInMemory(b"bbbb")) is None
    assert cache.find(BytesInMemory(b"aaaa")) is None
    assert not (tmp_path / "cache").exists()


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
    assert known_bad(records) == {LocalFile(paths["bad"]): "for a test"}
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

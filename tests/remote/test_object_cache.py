"""The cache of objects stays below its limit, never takes a file from a reader, and fetches each object once."""

from __future__ import annotations

import multiprocessing
import os
import stat
from pathlib import Path

import pytest
from object_servers import Fault, S3Server, WebServer

from vidcls.errors import ConfigurationError, RemoteError
from vidcls.remote import local_copy, place_of, read_bytes
from vidcls.remote.cache_room import LIMIT, limit_bytes
from vidcls.remote.object_cache import ObjectCache
from vidcls.remote.requests import facts_of

NUM_BYTES = 100_000


def objects(web: WebServer, number: int) -> list[str]:
    """Addresses of objects of 100,000 bytes."""
    web.files |= {f"/{k}.bin": bytes([k]) * NUM_BYTES for k in range(number)}
    return [f"{web.url}/{k}.bin" for k in range(number)]


def kept(folder: Path) -> list[Path]:
    return [path for path in folder.glob("??/*") if path.is_file()]


def test_it_stays_below_its_limit_and_drops_what_was_not_used_for_longest(web: WebServer, tmp_path: Path) -> None:
    cache = ObjectCache(tmp_path, most_bytes=3 * NUM_BYTES)
    for k, address in enumerate(objects(web, 8)):
        with cache.copy_of(address) as path:
            assert path.read_bytes() == bytes([k]) * NUM_BYTES
            os.utime(path, (k, k))
        assert sum(path.stat().st_size for path in kept(tmp_path)) <= 3 * NUM_BYTES
    assert {path.read_bytes()[0] for path in kept(tmp_path)} >= {7}
    assert 0 not in {path.read_bytes()[0] for path in kept(tmp_path)}


def test_what_is_being_read_stays_and_what_finds_no_room_is_read_all_the_same(web: WebServer, tmp_path: Path) -> None:
    cache = ObjectCache(tmp_path / "cache", most_bytes=2 * NUM_BYTES)
    first, second, third, *_ = objects(web, 4)
    with cache.copy_of(first) as one, cache.copy_of(second) as two:
        with cache.copy_of(third) as three:  # both others are in use
            assert [path.read_bytes()[0] for path in (one, two, three)] == [0, 1, 2]
            assert not three.is_relative_to(tmp_path / "cache")
        assert not three.exists()
        assert one.read_bytes() == bytes([0]) * NUM_BYTES
    with cache.copy_of(third) as three:
        assert three.is_relative_to(tmp_path / "cache")
    assert len(kept(tmp_path / "cache")) == 1
    with ObjectCache(tmp_path / "none", most_bytes=0).copy_of(first) as alone:
        assert alone.stat().st_size == NUM_BYTES
    assert not alone.exists()


def test_what_killed_processes_left_and_what_is_cut_short_is_replaced(web: WebServer, tmp_path: Path) -> None:
    cache = ObjectCache(tmp_path, most_bytes=2 * NUM_BYTES)
    first, second, third = objects(web, 3)
    with cache.copy_of(first) as path:
        pass
    path.write_bytes(b"half")
    with cache.copy_of(first) as path:
        assert path.read_bytes() == bytes([0]) * NUM_BYTES
    left = path.with_name(".4242-left.bin")
    left.write_bytes(b"0" * 50)
    (tmp_path / "room").write_text("not a number")
    for address in (second, third):
        with cache.copy_of(address):
            pass
    assert not left.exists()
    assert not [path for path in kept(tmp_path) if path.name.startswith(".")]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
def test_a_system_without_locks_renames_no_open_file(
    web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, replaced = Path.replace, []

    def noting(self: Path, target: Path) -> Path:
        assert str(self) not in {os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()}
        replaced.append(target)
        return replace(self, target)

    monkeypatch.setattr("vidcls.remote.cache_room.fcntl", None)
    monkeypatch.setattr(Path, "replace", noting)
    with ObjectCache(tmp_path / "objects").copy_of(objects(web, 1)[0]) as path:
        assert replaced == [path]
        assert path.stat().st_size == NUM_BYTES
    assert stat.S_IMODE((tmp_path / "objects").stat().st_mode) == 0o700  # objects may be private


def test_a_file_is_called_by_what_it_holds(web: WebServer, tmp_path: Path) -> None:
    cache, (address,) = ObjectCache(tmp_path), objects(web, 1)
    before = facts_of(address)
    with cache.copy_of(address) as old:
        pass
    web.files["/0.bin"] = b"9" * NUM_BYTES
    with cache.copy_of(address) as new:
        assert (old.read_bytes()[:1], new.read_bytes()[:1]) == (b"\0", b"9")
    old.unlink()
    with pytest.raises(RemoteError, match=r"0\.bin: it changed while it was read"), cache.copy_of(address, before):
        pass


def _read(address: str, sender) -> None:  # type: ignore[no-untyped-def]
    with local_copy(place_of(address)) as path:
        sender.send(path.read_bytes())


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system does not fork")
def test_processes_that_want_one_object_fetch_it_once_also_where_they_were_forked(s3: S3Server) -> None:
    assert read_bytes(place_of(s3.put("before.bin", b"x"))) == b"x"  # the parent has an event loop, and connections
    address = s3.put("shared.bin", b"7" * NUM_BYTES)
    s3.proxy.reset()
    s3.proxy.faults = [Fault(delay_seconds=0.5, times=99)]
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    processes = [context.Process(target=_read, args=(address, sender)) for _ in range(3)]
    for process in processes:
        process.start()
    assert all(receiver.poll(60) and receiver.recv() == b"7" * NUM_BYTES for _ in processes)
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert s3.proxy.count("GET") == 1


def test_the_limit_is_a_number_of_gigabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert limit_bytes() == 20e9
    monkeypatch.setenv(LIMIT, "0.5")
    assert limit_bytes() == 5e8
    for text in ("many", "-1", "nan"):
        monkeypatch.setenv(LIMIT, text)
        with pytest.raises(ConfigurationError, match=f"{LIMIT} is '{text}'; expected a number of at least 0"):
            limit_bytes()

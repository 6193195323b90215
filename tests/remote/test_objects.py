"""One object on real servers: what is read is whole and of one version, whatever the network does."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from object_servers import BUCKET, Fault, FaultProxy, ListingServer, S3Server, WebServer, closing_server

from vidcls.errors import RemoteError
from vidcls.remote import exists, listed, local_copy, place_of, read_bytes, upload
from vidcls.remote.range_file import open_ranges
from vidcls.video import RemoteFile

CONTENT = bytes(range(256)) * 400  # 102,400 bytes

PASSING = {
    "503": Fault(status=503, times=2),
    "slow down": Fault(status=429, times=2),
    "500 of the facts": Fault(status=500, times=2, method="HEAD"),
    "cut": Fault(cut_after=5000, times=2),
    "cut at once": Fault(cut_after=0, times=2),
    "fewer bytes than there are": Fault(shorten_to=5000, times=2),
    "silent": Fault(delay_seconds=4.5, times=1),
}


@pytest.mark.parametrize("kind", PASSING)
def test_a_fault_that_passes_leaves_no_trace_in_what_is_read(kind: str, s3: S3Server) -> None:
    place = place_of(s3.put("faults.bin", CONTENT))
    s3.proxy.faults = [replace(PASSING[kind])]
    with local_copy(place) as path:
        assert path.read_bytes() == CONTENT
    assert all(fault.times == 0 for fault in s3.proxy.faults)


@pytest.mark.parametrize("kind", PASSING)
def test_the_same_over_http(kind: str, web: WebServer) -> None:
    web.files["/a.bin"] = CONTENT
    proxy = FaultProxy(web.port)
    with closing_server(proxy):
        proxy.faults = [replace(PASSING[kind])]
        with local_copy(place_of(f"{proxy.url}/a.bin")) as path:
            assert path.read_bytes() == CONTENT
        assert all(fault.times == 0 for fault in proxy.faults)


LASTING = {
    "503": (Fault(status=503, times=99), "asked 4 times.*VIDCLS_REMOTE_RETRIES"),
    "cut": (Fault(cut_after=5000, times=99), "asked 4 times"),
    "denied": (Fault(status=403, times=99, method=""), "access is denied.*AWS_PROFILE"),
    "a few bytes now and then": (Fault(pause_seconds=0.5, times=99), "in time.*asked"),
}


@pytest.mark.parametrize("kind", LASTING)
def test_a_fault_that_stays_is_one_error_that_names_the_object_and_leaves_no_file(
    kind: str, s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "few bytes" in kind:
        monkeypatch.setenv("VIDCLS_REMOTE_TIMEOUT", "0.4")
        monkeypatch.setenv("VIDCLS_REMOTE_RETRIES", "1")
    place = place_of(s3.put("lasting.bin", CONTENT))
    fault, words = LASTING[kind]
    s3.proxy.faults = [replace(fault)]
    with pytest.raises(RemoteError, match=rf"^s3://videos/lasting.bin: .*{words}"), local_copy(place):
        pass
    s3.proxy.reset()
    assert not list((tmp_path / "cache").rglob("*.bin"))


def test_an_object_that_changes_is_never_a_mixture(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidcls.remote.requests.RANGE_BYTES", 30_000)
    other = CONTENT[::-1]
    place = place_of(s3.put("changes.bin", CONTENT))
    quiet, change = Fault(), Fault(action=lambda: s3.put("changes.bin", other))
    s3.proxy.faults = [quiet, change]  # between the first range and the second
    with local_copy(place) as path:
        assert path.read_bytes() == other
    versions = iter(range(100))
    s3.proxy.faults = [Fault(times=99, action=lambda: s3.put("changes.bin", CONTENT + bytes([next(versions)])))]
    with pytest.raises(RemoteError, match=r"changes\.bin: it changed while it was read: wait"):
        read_bytes(place)


@pytest.mark.parametrize("way", ["ranges", "a video"])
def test_ranges_of_a_store_that_checks_no_version_are_compared_at_the_end(way: str, web: WebServer) -> None:
    from vidcls.remote.filesystems import filesystem_of

    address = f"memory://{os.urandom(4).hex()}/a.mp4"
    fs = filesystem_of("memory")
    fs.pipe_file(address, CONTENT * 20)
    opened, error = (
        (RemoteFile(address).open, OSError) if way == "a video" else (partial(open_ranges, address), RemoteError)
    )
    with opened() as file:
        assert file.read(10) == CONTENT[:10]

    def read_while_it_changes() -> None:
        with opened() as file:
            file.read(10)
            fs.pipe_file(address, CONTENT[::-1] * 20)
            file.seek(1_500_000)
            assert len(file.read(10)) == 10

    with pytest.raises(error, match=r"a\.mp4: it changed while it was read: wait"):  # type: ignore[arg-type]
        read_while_it_changes()


def test_what_is_not_there_is_said_at_once(s3: S3Server) -> None:
    for address in ("s3://videos/none.mp4", "s3://no-such-bucket/none.mp4"):
        with pytest.raises(RemoteError, match=f"^{address}: there is no such object; check the address") as error:
            read_bytes(place_of(address))
        assert error.value.is_missing
        assert not exists(place_of(address))
    assert s3.proxy.count("HEAD") == 4  # no request was repeated


def test_uploads_are_whole_and_repeated_where_they_fail(s3: S3Server, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(CONTENT)
    s3.proxy.faults = [Fault(method="PUT", status=503, times=2)]
    place = place_of("s3://videos/up/a.bin")
    upload(tmp_path / "a", place)
    assert read_bytes(place) == CONTENT
    upload(tmp_path / "a", tmp_path / "b" / "c")
    assert (tmp_path / "b" / "c").read_bytes() == CONTENT


def test_a_redirect_leads_to_no_other_protocol(web: WebServer, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    web.files["/a.bin"] = CONTENT
    web.redirects = {
        "/file": (tmp_path / "secret").as_uri(),
        "/ftp": "ftp://127.0.0.1/a.bin",
        "/same": f"{web.url}/a.bin",
        "/relative": "/a.bin",
    }
    for name in ("file", "ftp"):
        with pytest.raises(RemoteError, match=f"redirects to an address of {name}, which is not followed"):
            read_bytes(place_of(f"{web.url}/{name}"))
    for name in ("same", "relative"):
        assert read_bytes(place_of(f"{web.url}/{name}")) == CONTENT


def test_a_web_server_without_ranges_is_read_too(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidcls.remote.requests.RANGE_BYTES", 30_000)
    web.has_ranges = False
    web.files["/a.bin"] = CONTENT
    assert read_bytes(place_of(f"{web.url}/a.bin")) == CONTENT


def test_names_below_a_folder(s3: S3Server, web: WebServer) -> None:
    names = {"clips/a/1.mp4", "clips/a/2.mp4", "clips/b.mp4"}
    memory = os.urandom(4).hex()
    for name in names | {"clips2/c.mp4", "clips/../out.mp4"}:
        s3.put(f"listed/{name}", b"x")
    for root in ("s3://videos/listed/clips", "s3://videos/listed/clips/"):
        assert {one.name for one in listed(root)} == {name.removeprefix("clips/") for name in names}
        assert {(one.name, one.is_folder) for one in listed(root, deep=False)} >= {("a", True), ("b.mp4", False)}
    from vidcls.remote.filesystems import filesystem_of

    filesystem_of("memory").pipe_file(f"memory://{memory}/a/1.mp4", b"x")
    assert [one.name for one in listed(f"memory://{memory}")] == ["a/1.mp4"]
    assert not list(listed("s3://videos/nothing-here"))
    with pytest.raises(RemoteError, match="cannot be listed: pass a csv file"):
        list(listed(f"{web.url}/clips"))


def test_a_listing_in_one_answer_may_take_longer_than_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    asyn = pytest.importorskip("fsspec.asyn", reason="needs the extra remote")

    class Slow(asyn.AsyncFileSystem):  # type: ignore[misc, name-defined]
        protocol = "gs"

        async def _find(self, path: str, **_: object) -> dict[str, dict[str, object]]:
            await asyncio.sleep(1.2)
            return {"bucket/a.mp4": {"name": "bucket/a.mp4", "type": "file", "size": 1}}

    monkeypatch.setenv("VIDCLS_REMOTE_TIMEOUT", "0.1")
    monkeypatch.setenv("VIDCLS_REMOTE_RETRIES", "0")
    monkeypatch.setattr("vidcls.remote.listing.filesystem_of", lambda _: Slow(skip_instance_cache=True))
    assert [one.name for one in listed("gs://bucket")] == ["a.mp4"]


def test_a_long_listing_comes_in_pages_each_of_which_may_fail(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ListingServer(4500)
    proxy = FaultProxy(server.port)
    with closing_server(server), closing_server(proxy):
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        monkeypatch.setattr("vidcls.remote.filesystems._of_process", {})  # which know another server
        proxy.faults = [Fault(status=503, times=2, every=2), Fault(cut_after=5000, every=3)]
        names = [one.name for one in listed("s3://videos/all")]
        assert names == [f"class_{k // 1000:04}/video_{k:08}.mp4" for k in range(4500)]
        assert len(proxy.requests) == 5 + 3
        proxy.faults = [Fault(status=503, times=99)]
        with pytest.raises(RemoteError, match=r"^s3://videos/all: cannot be read: .*asked 4 times"):
            list(listed("s3://videos/all"))


def test_objects_whose_names_no_file_can_have_are_left_out_and_counted(
    s3: S3Server, caplog: pytest.LogCaptureFixture
) -> None:
    for key in ("odd/left/a.avi", "odd/left//b.avi", "odd/left/../c.avi", "odd/left/"):
        s3.client().put_object(Bucket=BUCKET, Key=key, Body=b"")
    assert [each.name for each in listed(f"s3://{BUCKET}/odd")] == ["left/a.avi"]
    (message,) = caplog.messages
    assert message.startswith(f"s3://{BUCKET}/odd: 2 objects are left out whose names no file can have, such as 'left/")

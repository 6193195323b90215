"""What ``--source`` names: a camera, an address that is allowed, or a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidcls.errors import ConfigurationError, DatasetError
from vidcls.live_place import LivePlace, live_place
from vidcls.remote import allow_remote
from vidcls.remote.live_addresses import shown_stream
from vidcls.remote.permission import permission_ends


def test_a_number_is_a_camera_unless_there_is_such_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert live_place("00") == LivePlace("camera", "0", "camera 0")
    Path("0").touch()
    assert live_place("0") == LivePlace("file", "0", "0")
    assert not live_place("0").is_endless
    for wanted, words in ((".", "is a folder"), ("gone.mp4", "no such file; expected a file, the number of a camera")):
        with pytest.raises(DatasetError, match=words):
            live_place(wanted)


def test_an_address_is_allowed_by_its_protocol_and_shown_without_secrets() -> None:
    address = "RTSP://user:p%40w@camera:554/live?token=1f"
    with permission_ends():
        allow_remote("rtsp")
        assert live_place(address) == LivePlace("address", address.replace("RTSP", "rtsp"), "rtsp://camera:554/live")
        for wanted, words in (
            ("udp://u:pw@host:1", r"^udp://host:1: is an address, .*--allow-remote udp"),
            ("https://host/live", r"--allow-remote https"),
            ("rtsp:///live", "has no host|^rtsp:///live"),
            ("rtsp://host/a b", "has a space"),
            ("rtmp://u:pw@host/live", r"^rtmp://host/live: addresses of rtmp are not read live; expected one of rtsp"),
            ("file:///etc/passwd", "addresses of file are not read live"),
        ):
            with pytest.raises(ConfigurationError, match=words):
                live_place(wanted)
    assert shown_stream("udp://@239.0.0.1:1234") == "udp://239.0.0.1:1234"
    assert shown_stream("clip.mp4") == "clip.mp4"

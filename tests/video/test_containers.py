"""What is opened as a video: files that hold their own frames, and nothing else."""

from __future__ import annotations

import shutil
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from vidcls.errors import DecodeError, MissingExtraError, NotAVideoError
from vidcls.video import BACKENDS, Backend, DecoderFallbackWarning, open_video, write_video
from vidcls.video.containers import open_container
from vidcls.video.health import examine

av = pytest.importorskip("av")

PLAYLISTS = {
    "ffconcat": ("ffconcat version 1.0\nfile other.mkv\n", "a script that joins files"),
    "ffconcat behind a byte-order mark": ("\ufeffffconcat version 1.0\nfile other.mkv\n", "a script that joins files"),
    "HLS": (
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{folder}/other.ts\n#EXT-X-ENDLIST\n",
        "an HLS or M3U playlist",
    ),
    "SDP": ("v=0\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n", "network stream"),
    "SDP with another line first": (
        "s=x\nv=0\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
        "name other files",
    ),
    "DASH": ('<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>', "XML"),
    "VobSub": ("# VobSub index file, v7 (do not modify this line!)\n", "name other files"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With other videos, which the files under test name."""
    frames = torch.arange(0, 240, 20, dtype=torch.uint8)[:, None, None, None].expand(12, 3, 48, 64)
    write_video(tmp_path / "other.mp4", frames)
    for name in ("other.mkv", "other.ts"):
        with av.open(str(tmp_path / "other.mp4")) as source, av.open(str(tmp_path / name), "w") as target:
            stream = target.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    target.mux(packet)
    return tmp_path


@pytest.mark.parametrize("backend", [None, *BACKENDS])
@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_file_that_names_others_is_refused_by_every_decoder(kind: str, backend: Backend | None, folder: Path) -> None:
    text, message = PLAYLISTS[kind]
    path = folder / "clip.mkv"
    path.write_text(text.format(folder=folder))
    try:
        with pytest.raises(NotAVideoError, match=message) as caught:
            open_video(path, backend)
    except MissingExtraError as error:
        pytest.skip(str(error))
    assert "\n" not in str(caught.value)
    assert str(caught.value).count("clip.mkv") == 1
    health = examine(path)
    assert (health.fault, health.num_frames) == ("undecodable", 0)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_so_is_one_behind_a_link(folder: Path) -> None:
    (folder / "outside.txt").write_text(PLAYLISTS["ffconcat"][0])
    (folder / "inside").mkdir()
    (folder / "inside" / "clip.mkv").symlink_to(folder / "outside.txt")
    with pytest.raises(NotAVideoError, match="only files that hold their own frames are read"):
        open_video(folder / "inside" / "clip.mkv")


def test_the_name_of_the_format_alone_keeps_it_from_reading(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "clip.mkv"
    path.write_text(PLAYLISTS["ffconcat"][0])
    with av.open(str(path)) as container:
        assert container.format.name == "concat"  # a file of others for who opens it without care
    monkeypatch.setattr("vidcls.video.containers.PLAYLISTS", {})
    with pytest.raises(NotAVideoError, match="name other files"):
        open_container(path)


@pytest.mark.skipif(sys.platform == "win32", reason="no such file names on Windows")
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_name_is_no_address(backend: Backend, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path("concat:other.ts|other.ts")
    write_video(folder / "one.mp4", torch.zeros(3, 3, 48, 64, dtype=torch.uint8))
    shutil.move(folder / "one.mp4", folder / path)
    monkeypatch.chdir(folder)
    try:
        video = open_video(path, backend)
    except MissingExtraError as error:
        pytest.skip(str(error))
    with video:
        assert video.num_frames == len(video.frames([0, 1, 2])) == 3


@pytest.mark.parametrize("backend", [None, *BACKENDS])
def test_tracks_that_lie_in_another_file_are_not_read(backend: Backend | None, folder: Path) -> None:
    path = folder / "clip.mov"
    path.write_bytes(_referring_to(folder / "other.mp4"))
    with av.open(str(path), options={"enable_drefs": "1", "use_absolute_path": "1"}) as container:
        assert sum(bool(packet.size) for packet in container.demux(video=0)) == 12  # the file is what it pretends to be
    with pytest.raises((DecodeError, MissingExtraError)):
        open_video(path, backend)


@pytest.mark.parametrize(("suffix", "kind"), [(".jpg", ".jpg"), (".png", ".png"), (".mp4", ".jpg"), (".mp4", ".png")])
def test_an_image_is_no_video(suffix: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"cover%d{suffix}"
    path.write_bytes(_image(kind))
    with pytest.raises(NotAVideoError, match=r"is an image.*not a video"):
        open_video(path)
    assert "is an image" in examine(path).reason


@pytest.mark.parametrize(("name", "codec", "kind"), [("song.m4a", "aac", "fltp"), ("song.flac", "flac", "s16")])
def test_a_cover_picture_is_no_video(name: str, codec: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with av.open(str(path), "w", format="mp4" if path.suffix == ".m4a" else None) as container:
        sound, cover = container.add_stream(codec, rate=44_100, layout="mono"), container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic.value
        silence = av.AudioFrame(format=kind, layout="mono", samples=1024)
        silence.rate, silence.pts = 44_100, 0
        silence.planes[0].update(bytes(silence.planes[0].buffer_size))
        packets = [*sound.encode(silence), *sound.encode(None)]
        picture = av.Packet(_image(".jpg"))
        picture.stream, picture.pts, picture.dts, picture.is_keyframe = cover, 0, 0, True
        container.mux([picture, *packets])
    with pytest.raises(NotAVideoError, match="there is no video stream, only audio with a cover picture"):
        open_video(path)
    health = examine(path)
    assert (health.fault, health.stream_kinds) == ("no video", ("audio",))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems refuse such names")
def test_a_file_name_that_is_not_utf_8_is_read_by_the_decoder_that_can(folder: Path) -> None:
    path = folder / b"caf\xe9.mp4".decode(errors="surrogateescape")
    shutil.copy(folder / "other.mp4", path)
    with pytest.warns(DecoderFallbackWarning, match="decord: cannot open a file whose name is not UTF-8"):
        video = open_video(path)
    with video, open_video(folder / "other.mp4", "pyav") as expected:
        assert video.backend == "pyav"
        assert torch.equal(video.frames([0, 7, 3]), expected.frames([0, 7, 3]))
    with pytest.raises(DecodeError, match="not UTF-8"):
        open_video(path, "decord")
    assert examine(path).fault == ""


def _image(suffix: str) -> bytes:
    return bytes(cv2.imencode(suffix, np.full((32, 32, 3), 90, dtype=np.uint8))[1])


def _boxes(data: bytes, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    while start + 8 <= stop:
        num_bytes, name = struct.unpack_from(">I4s", data, start)
        yield name, start, num_bytes
        start += num_bytes


def _referring_to(other: Path) -> bytes:
    """A QuickTime file without pictures whose track says that they lie in another file (an alias record)."""
    data = other.read_bytes()
    name, path = other.name.encode(), str(other).encode() + b"\0" * (len(str(other).encode()) % 2)
    alias = bytes(10) + b"\x04" + b"disk".ljust(27, b"\0") + bytes(12) + bytes([len(name)]) + name.ljust(63, b"\0")
    alias += bytes(16) + struct.pack(">HH", 1, 1) + bytes(16)
    alias += struct.pack(">HH", 2, len(path)) + path + struct.pack(">hH", -1, 0)
    alias = alias.ljust(160, b"\0")
    references = struct.pack(">II", 0, 1) + struct.pack(">I4sI", 12 + len(alias), b"alis", 0) + alias
    at_of, start, stop = [], 0, len(data)
    for wanted in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        at, num_bytes = next((at, n) for box, at, n in _boxes(data, start, stop) if box == wanted)
        at_of.append(at)
        start, stop = at + 8, at + num_bytes
    grown = bytearray(data[:start] + references + data[stop:])
    for at in at_of:
        (num_bytes,) = struct.unpack_from(">I", grown, at)
        struct.pack_into(">I", grown, at, num_bytes + start + len(references) - stop)
    at, num_bytes = next((at, n) for box, at, n in _boxes(grown, 0, len(grown)) if box == b"mdat")
    grown[at + 8 : at + num_bytes] = bytes(num_bytes - 8)
    return bytes(grown)

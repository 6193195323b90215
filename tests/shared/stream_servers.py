"""Servers of live streams on this machine: ffmpeg over TCP and UDP, and a small RTSP server that sends what it makes.

All of them end with their block, or by :meth:`kill`, as a camera that loses its power does.
"""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import pytest

TS_BYTES = 7 * 188  # of one RTP packet
MP2T, CLOCK_HZ = 33, 90_000
SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=clip\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\nc=IN IP4 0.0.0.0\r\na=control:0\r\n"
)


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def ffmpeg_command(clip: Path, target: str) -> list[str]:
    """The command that plays a clip again and again, at its own rate, as an MPEG transport stream."""
    if (program := shutil.which("ffmpeg")) is None:
        pytest.skip("ffmpeg is not installed")
    played = ["-v", "error", "-nostdin", "-re", "-stream_loop", "-1", "-i", str(clip)]
    return [program, *played, "-c", "copy", "-f", "mpegts", target]


class FfmpegServer:
    """ffmpeg, which serves a clip at ``tcp://`` (one client, then it ends) or sends it to ``udp://``."""

    def __init__(self, clip: Path, protocol: str, port: int) -> None:
        self.address = f"{protocol}://127.0.0.1:{port}"
        more = "?listen=1" if protocol == "tcp" else "?pkt_size=1316"
        self._process = subprocess.Popen(ffmpeg_command(clip, self.address + more))

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> FfmpegServer:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.kill()


class RtspServer:
    """Answers one client after the other, and sends the clip as RTP through the same connection (RFC 2326, 2250)."""

    def __init__(self, clip: Path, port: int) -> None:
        self.address = f"rtsp://127.0.0.1:{port}/clip"
        self._clip = clip
        self._socket = socket.create_server(("127.0.0.1", port))
        self._open: list[socket.socket] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def kill(self) -> None:
        for one in (self._socket, *self._open):
            with suppress(OSError):  # closed already
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._thread.join()

    def __enter__(self) -> RtspServer:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.kill()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:  # killed
                return
            self._open.append(connection)
            with suppress(OSError, ValueError):
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        requests = connection.makefile("rb")
        while method := requests.readline().split():
            headers = dict(line.split(b": ", 1) for line in iter(requests.readline, b"\r\n"))
            answer = ["RTSP/1.0 200 OK", f"CSeq: {headers[b'CSeq'].decode().strip()}", "Session: 1"]
            body = ""
            match method[0]:
                case b"OPTIONS":
                    answer.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")
                case b"DESCRIBE":
                    body = SDP
                    answer += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
                case b"SETUP":
                    answer.append("Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
            connection.sendall(("\r\n".join(answer) + "\r\n\r\n" + body).encode())
            if method[0] == b"PLAY":
                self._play(connection)
                return

    def _play(self, connection: socket.socket) -> None:
        self._process = subprocess.Popen(ffmpeg_command(self._clip, "-"), stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        number, started = 0, time.monotonic()
        while piece := self._process.stdout.read(TS_BYTES):
            stamp = int((time.monotonic() - started) * CLOCK_HZ) & 0xFFFFFFFF
            packet = struct.pack(">BBHII", 0x80, MP2T, number & 0xFFFF, stamp, 1) + piece
            connection.sendall(b"$\0" + struct.pack(">H", len(packet)) + packet)
            number += 1

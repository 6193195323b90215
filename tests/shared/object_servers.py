"""Servers of objects on this machine: an S3 server, a web server with ranges, and a proxy that disturbs them."""

from __future__ import annotations

import hashlib
import http.client
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
BUCKET = "videos"
PAGE = """<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><Name>videos</Name><Prefix>all/</Prefix>
<KeyCount>{count}</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>{more}</IsTruncated>
<NextContinuationToken>{token}</NextContinuationToken>{keys}</ListBucketResult>"""
KEY = '<Contents><Key>all/class_{label:04}/video_{number:08}.mp4</Key><Size>1000000</Size><ETag>"0"</ETag></Contents>'


@dataclass
class Fault:
    """What happens to the next requests that match.

    Args:
        times: how many requests it happens to.
        every: of the requests that match, it happens to each one of that number.
        method: of those requests; empty for any.
        part: of their path and query; empty for any.
        status: is answered in place of what the server says.
        cut_after: bytes of the body, after which the connection ends.
        shorten_to: bytes that are announced and sent as if they were all.
        delay_seconds: before the answer.
        pause_seconds: after each 1,000 bytes of the body.
        headers: replace those of the answer.
        action: is called before the request is passed on.
    """

    times: int = 1
    every: int = 1
    method: str = "GET"
    part: str = ""
    status: int = 0
    cut_after: int | None = None
    shorten_to: int | None = None
    delay_seconds: float = 0.0
    pause_seconds: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    action: Callable[[], object] | None = None
    seen: int = field(default=0, init=False)


class FaultProxy:
    """Passes requests on to a server of this machine, and disturbs those that it is told to.

    Args:
        port: of the server.

    Attributes:
        faults: for the requests to come; each is dropped when it has happened often enough.
        requests: method and path of each one, in order.
    """

    def __init__(self, port: int) -> None:
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        self._server = _serve(self._handler(port))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def reset(self) -> None:
        """No faults, and no memory of requests."""
        self.faults, self.requests = [], []

    def count(self, method: str) -> int:
        """Requests of a method."""
        return sum(one == method for one, _ in self.requests)

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()

    def _next(self, method: str, path: str) -> Fault:
        with self._lock:
            self.requests.append((method, path))
            for fault in self.faults:
                if fault.times > 0 and fault.method in ("", method) and fault.part in path:
                    fault.seen += 1
                    if fault.seen % fault.every == 0:
                        fault.times -= 1
                        return fault
        return Fault(method="none")

    def _handler(self, port: int) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                fault = proxy._next(self.command, self.path)
                body = _body(self)
                if fault.action is not None:
                    fault.action()
                time.sleep(fault.delay_seconds)
                if fault.status in (401, 403):  # a server that denies does nothing
                    return self._refuse(fault)
                upstream = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                headers = {name: value for name, value in self.headers.items() if name.lower() != "transfer-encoding"}
                upstream.request(self.command, self.path, body=body, headers=headers)
                answer = upstream.getresponse()
                content = answer.read()
                upstream.close()
                if fault.status:
                    return self._refuse(fault)
                if fault.shorten_to is not None:
                    content = content[: fault.shorten_to]
                self.send_response(answer.status)
                own = {name.lower() for name in fault.headers}
                for name, value in answer.getheaders():
                    if name.lower() not in {"connection", "transfer-encoding", "content-length", *own}:
                        self.send_header(name, value)
                for name, value in fault.headers.items():
                    self.send_header(name, value)
                length = answer.getheader("Content-Length") if self.command == "HEAD" else None
                self.send_header("Content-Length", length or str(len(content)))
                self.end_headers()
                if fault.cut_after is not None:
                    self.wfile.write(content[: fault.cut_after])
                    self.close_connection = True
                elif fault.pause_seconds:
                    for start in range(0, len(content), 1000):
                        self.wfile.write(content[start : start + 1000])
                        self.wfile.flush()
                        time.sleep(fault.pause_seconds)
                elif self.command != "HEAD":
                    self.wfile.write(content)

            def _refuse(self, fault: Fault) -> None:
                self.send_response(fault.status)
                self.send_header("Content-Length", "0")
                for name, value in fault.headers.items():
                    self.send_header(name, value)
                self.end_headers()

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any

            def log_message(self, *_: object) -> None:
                """Nothing."""

        return Handler


class WebServer:
    """Serves bytes over HTTP, with ranges and ETags.

    Attributes:
        redirects: paths that lead to other addresses.
        requests: path and headers of each, in order.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.has_ranges = True
        self._server = _serve(self._handler())
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                server.requests.append((path, dict(self.headers)))
                if path in server.redirects:
                    self._answer(302, b"", {"Location": server.redirects[path]})
                elif path not in server.files:
                    self._answer(404, b"")
                else:
                    self._file(server.files[path])

            def _file(self, content: bytes) -> None:
                etag = f'"{hashlib.blake2b(content, digest_size=8).hexdigest()}"'
                if self.headers.get("If-Match") not in (None, etag):
                    return self._answer(412, b"")
                wanted = self.headers.get("Range", "").removeprefix("bytes=")
                if not wanted or not server.has_ranges:
                    return self._answer(200, content, {"ETag": etag})
                first, _, last = wanted.partition("-")
                start, stop = int(first), min(int(last or len(content) - 1) + 1, len(content))
                if start >= len(content):
                    return self._answer(416, b"")
                whole = {"ETag": etag, "Content-Range": f"bytes {start}-{stop - 1}/{len(content)}"}
                return self._answer(206, content[start:stop], whole)

            def _answer(self, status: int, content: bytes, headers: Mapping[str, str] | None = None) -> None:
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_HEAD = do_GET

            def log_message(self, *_: object) -> None:
                """Nothing."""

        return Handler


class S3Server:
    """A server of S3 with one bucket, and a proxy before it.

    Attributes:
        proxy: what clients are to talk to.
        environment: variables that lead clients there.
    """

    def __init__(self) -> None:
        import logging

        from moto.server import ThreadedMotoServer

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        self.port = self._server.get_host_and_port()[1]
        self.proxy = FaultProxy(self.port)
        self.environment = {**KEYS, "AWS_ENDPOINT_URL": self.proxy.url, "AWS_EC2_METADATA_DISABLED": "true"}
        self.client().create_bucket(Bucket=BUCKET)

    def client(self):  # type: ignore[no-untyped-def]
        """Of boto3, past the proxy."""
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.port}",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            region_name="us-east-1",
        )

    def put(self, key: str, content: bytes) -> str:
        """An object; returns its address."""
        self.client().put_object(Bucket=BUCKET, Key=key, Body=content)
        return f"s3://{BUCKET}/{key}"

    def objects(self, prefix: str) -> dict[str, bytes]:
        """What lies below a prefix, past the proxy and our own code, by the names behind it."""
        client, found = self.client(), {}
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{prefix}/"):
            for each in page.get("Contents", ()):
                body = client.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read()
                found[each["Key"].removeprefix(f"{prefix}/")] = body
        return found

    def close(self) -> None:
        """Stop."""
        self.proxy.close()
        self._server.stop()


def put_folder(folder: Path, address: str) -> str:
    """A copy of a folder at an address, which it returns."""
    from vidcls.remote import place_of, upload

    for file in folder.rglob("*"):
        if file.is_file():
            upload(file, place_of(f"{address}/{file.relative_to(folder).as_posix()}"))
    return address


class ListingServer:
    """An S3 server that lists as many keys as are asked for, and has nothing else.

    Args:
        num_keys: ``all/class_0000/video_00000000.mp4`` and so on.
    """

    def __init__(self, num_keys: int) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                asked = parse_qs(urlsplit(self.path).query)
                first = int(asked.get("continuation-token", ["0"])[0])
                stop = min(first + 1000, num_keys)
                keys = "".join(KEY.format(label=number // 1000, number=number) for number in range(first, stop))
                more = str(stop < num_keys).lower()
                body = PAGE.format(count=stop - first, more=more, token=stop, keys=keys).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/xml")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = _serve(Handler)
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def closing_server(server: S3Server | WebServer | FaultProxy | ListingServer) -> Iterator[None]:
    """Stops it at the end."""
    try:
        yield
    finally:
        server.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: a client that has given up is what tests are about."""


def _serve(handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    server = _Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server


def _body(handler: BaseHTTPRequestHandler) -> bytes:
    if handler.headers.get("Transfer-Encoding", "").lower() == "chunked":
        parts = []
        while (size := int(handler.rfile.readline().split(b";")[0], 16)) > 0:
            parts.append(handler.rfile.read(size))
            handler.rfile.readline()
        handler.rfile.readline()
        return b"".join(parts)
    return handler.rfile.read(int(handler.headers.get("Content-Length") or 0))

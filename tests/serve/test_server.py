"""What a server answers: the scores of the predictor, and a clear refusal of everything else."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from raw_http import answer_to, port_of

from vidcls.errors import UnreachableError
from vidcls.files import cache_folder
from vidcls.predict import Predictor
from vidcls.serve.limits import Limits
from vidcls.video import write_video
from vidcls.video.stated_size import StatedSize

if TYPE_CHECKING:
    import httpx

BOUNDARY = "b0undary"
ROOT = Path(__file__).resolve().parents[2]
TOKEN = "a-token-of-some-length"


def form(content: bytes, *, field: str = "file", name: str = "a.mp4", end: str = f"--{BOUNDARY}--\r\n") -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'
    return head.encode() + content + f"\r\n{end}".encode()


def refused(response: httpx.Response, status: int, kind: str, words: str = "") -> None:
    """One line that says what is wrong, in JSON."""
    assert response.status_code == status, response.text
    said = response.json()
    assert said.keys() == {"error", "kind"}
    assert said["kind"] == kind
    assert words in said["error"], said
    assert len(said["error"].splitlines()) == 1
    assert "/tmp" not in said["error"]


def nothing_left(served) -> None:
    until = time.monotonic() + 10
    while (served.folder.num_files() or served.service.num_in_work) and time.monotonic() < until:
        time.sleep(0.05)
    assert (served.folder.num_files(), served.service.num_in_work) == (0, 0)


def test_scores_are_those_of_the_predictor(served, predictor: Predictor, clip_folder: Path) -> None:
    clips = sorted(clip_folder.glob("test/*/*.avi"))
    with ThreadPoolExecutor(4) as together:  # some go through the network in one batch
        answers = list(together.map(served.post, clips))
    for clip, response in zip(clips, answers, strict=True):
        answer, expected = response.json(), predictor(clip)
        assert response.status_code == 200, answer
        assert (answer["name"], answer["label"]) == (clip.name, expected.label)
        assert list(answer["scores"].values()) == pytest.approx(expected.scores, abs=1e-5)
        rows = predictor.scores_by_row(clip)
        assert answer["rows"].keys() == rows.keys()
        assert list(answer["rows"]["temporal"].values()) == pytest.approx(rows["temporal"], abs=1e-5)
        assert answer["end_seconds"] == pytest.approx(expected.end_seconds)
    nothing_left(served)


@pytest.mark.parametrize("suffix", ["onnx", "pt2"])
def test_an_exported_file_is_served_like_a_checkpoint(checkpoint, clip_folder: Path, tmp_path, suffix: str) -> None:
    pytest.importorskip("onnx", reason="needs onnx")
    pytest.importorskip("onnxruntime", reason="needs the extra runtime")
    import onnx_files
    from served import servers

    from vidcls.predict.open_model import open_model

    clip = next(clip_folder.glob("test/left/*.avi"))
    write = onnx_files.write_onnx if suffix == "onnx" else onnx_files.write_pt2
    exported = open_model(write(checkpoint, tmp_path / f"model.{suffix}"))
    with servers(exported, tmp_path) as start:
        served = start()
        answer, expected = served.post(clip).json(), exported(clip)
        assert answer["label"] == expected.label
        assert list(answer["scores"].values()) == pytest.approx(expected.scores, abs=1e-5)
        windows = served.post(clip, route="/timeline").json()["windows"]
        assert list(windows[0]["scores"].values()) == pytest.approx(exported.timeline(clip, 0.5)[0].scores, abs=1e-5)


def test_a_timeline_is_that_of_the_predictor(served, predictor: Predictor, tmp_path: Path) -> None:
    video = tmp_path / "long.mp4"
    write_video(video, torch.randint(0, 255, (40, 3, 32, 40), dtype=torch.uint8), fps=10)  # 4 s: 8 windows of 0.5 s
    found = served.post(video, route="/timeline").json()["windows"]
    expected = predictor.timeline(video, 0.5)
    assert [one["start_seconds"] for one in found] == pytest.approx([one.start_seconds for one in expected])
    for one, other in zip(found, expected, strict=True):
        assert list(one["scores"].values()) == pytest.approx(other.scores, abs=1e-5)


def test_health_info_and_the_description_of_the_api(served, predictor: Predictor) -> None:
    import httpx

    assert httpx.get(f"{served.url}/health").json() == {"status": "ok"}
    info = httpx.get(f"{served.url}/info").json()
    assert info["class_names"] == list(predictor.class_names)
    assert repr(info["limits"]["max_queue"]) == repr(Limits().max_queue)  # a count, no 64.0
    assert info["clip"]["test_clips"] == 3
    described = httpx.get(f"{served.url}/openapi.json").json()["paths"]
    assert "multipart/form-data" in described["/predict"]["post"]["requestBody"]["content"]
    assert {"200", "413", "422", "503"} <= described["/predict"]["post"]["responses"].keys()
    docs = httpx.get(f"{served.url}/docs")
    for words in ("POST /predict", "multipart/form-data", "The file is too large.", "GET /health", "error, kind"):
        assert words in docs.text
    assert "://" not in docs.text  # it loads nothing
    assert "default-src 'none'" in docs.headers["Content-Security-Policy"]


ABSENT = ("torch", "torchvision", "lightning", "pyarrow", "torchmetrics", "jsonargparse", "sklearn", "scipy")
SERVED_ONCE = """
import sys
import httpx
from vidcls.cli.serve import main
from vidcls.serve.server import running

def ask(app, listener, *, grace_seconds, started):
    with running(app, listener) as url, open(sys.argv[2], "rb") as file:
        assert httpx.get(url).status_code == 200
        print(httpx.post(f"{url}/predict", files={"file": ("a.avi", file)}, timeout=120).text)

if __name__ == "__main__":
    main([sys.argv[1], "--port", "0", "--page", "--num_workers", "1"], run=ask)
"""
MULTIPART = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
JSON = {"Content-Type": "application/json"}
REFUSED: tuple[tuple[bytes, dict[str, str], int, str, str], ...] = (
    (b"", {}, 415, "bad_request", "curl -F file=@clip.mp4"),
    (b"x", {"Content-Type": "video/mp4"}, 415, "bad_request", "multipart/form-data"),
    (b"x", {"Content-Type": "multipart/form-data"}, 400, "bad_request", "no boundary"),
    (b"x" * 100, MULTIPART, 400, "bad_request", "not a multipart form"),
    (b"", MULTIPART, 400, "bad_request", "ends in the middle"),
    (form(b"x", end=""), MULTIPART, 400, "bad_request", "ends in the middle"),
    (form(b"x", field="video"), MULTIPART, 400, "bad_request", "no file in a field called file"),
    (form(b"x", end="") + form(b"y"), MULTIPART, 400, "bad_request", "more than one file"),
    (form(b"x", field="z", end="") * 20 + form(b"y"), MULTIPART, 400, "bad_request", "more than 16 parts"),
    (form(b""), MULTIPART, 422, "unreadable", "a.mp4: the file is empty"),
    (form(b"just words", name="../../etc/words.mp4"), MULTIPART, 422, "unreadable", "words.mp4: "),
    (form(b"#EXTM3U\nhttp://127.0.0.1/a.ts", name="a.m3u8"), MULTIPART, 422, "unreadable", "HLS or M3U playlist"),
    (form(b"x", name="a\u2028b\x1b[2J.mp4"), MULTIPART, 422, "unreadable", "a\\u2028b"),
    (b"{", JSON, 400, "bad_request", "not JSON"),
    (b"[" * 60_000, JSON, 400, "bad_request", "not JSON"),
    (b" " * 70_000, JSON, 413, "too_large", "short JSON object"),
    (b"[]", JSON, 400, "bad_request", "expected the address"),
    (b'{"url": "/etc/passwd"}', JSON, 400, "bad_request", "expected the address"),
    (b'{"url": "file:///etc/passwd"}', JSON, 403, "address", "address of this machine"),
    (b'{"url": "https://example.org/a.mp4?token=s3cret"}', JSON, 403, "address", "--allow-remote https"),
)


def test_what_is_no_video_is_refused_with_one_line(served) -> None:
    import httpx

    for content, headers, status, kind, words in REFUSED:
        response = httpx.post(f"{served.url}/predict", content=content, headers=headers)
        refused(response, status, kind, words)
        assert "s3cret" not in response.text
    refused(httpx.get(f"{served.url}/predict"), 405, "method")
    refused(httpx.get(f"{served.url}/gone"), 404, "not_found", "/docs")
    nothing_left(served)


def test_what_is_beyond_a_limit_is_refused(serve, clip_folder: Path) -> None:
    import httpx

    clip = next(clip_folder.glob("test/*/*.avi"))
    small = serve(Limits(max_bytes=1000))
    refused(small.post(clip), 413, "too_large", "1,000 bytes")

    def pieces() -> Iterator[bytes]:
        yield form(b"x" * 50_000)[:40_000]
        yield b"x" * 40_000

    refused(httpx.post(f"{small.url}/predict", content=pieces(), headers=MULTIPART), 413, "too_large")
    head = "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n"
    said = answer_to(small.url, f"{head}Content-Type: {MULTIPART['Content-Type']}\r\n\r\n".encode())
    assert b"HTTP/1.1 413 " in said  # before any of the body came
    assert b"1,000 bytes" in said
    nothing_left(small)
    refused(serve(Limits(max_pixels=1000)).post(clip), 422, "too_many_pixels", "is 40x32")
    refused(serve(Limits(max_duration_seconds=0.2)).post(clip), 422, "too_long", "lasts 0.3 s")


def test_the_page_of_a_run_loads_nothing_from_elsewhere(serve, tmp_path: Path) -> None:
    import httpx

    from vidcls.serve.page import Page

    report = tmp_path / "report.html"
    report.write_text("<h1>the run</h1>")
    answer = httpx.get(f"{serve(page=Page('a model', report=report)).url}/report")
    assert (answer.status_code, answer.text) == (200, "<h1>the run</h1>")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy


@pytest.fixture
def narrow(tmp_path: Path) -> Path:
    write_video(tmp_path / "narrow.avi", torch.randint(256, (8, 3, 2, 400), dtype=torch.uint8), codec="mjpeg")
    return tmp_path / "narrow.avi"


def test_a_narrow_video_that_grows_beyond_the_limit_at_the_size_of_the_network_is_refused(serve, narrow: Path) -> None:
    refused(serve(Limits(max_pixels=50_000)).post(narrow), 422, "too_many_pixels", "is 400x2, which this network's")
    assert serve(Limits(max_pixels=500_000)).post(narrow).status_code == 200


def test_a_size_that_no_header_states_is_left_to_the_decoder(
    predictor: Predictor, narrow: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vidcls.serve import reading
    from vidcls.video.source import LocalFile

    monkeypatch.setattr(reading, "stated_size", lambda path: StatedSize(0, 0, 0.0))
    reading.check_size(LocalFile(narrow), predictor.input_settings, Limits(max_pixels=50_000))


def test_no_heat_is_computed_of_a_narrow_video_that_grows_beyond_the_limit(
    checkpoint: Path, narrow: Path, tmp_path: Path
) -> None:
    from vidcls.serve.heat import write_heat_video
    from vidcls.serve.refusal import Refusal
    from vidcls.video.source import LocalFile

    with pytest.raises(Refusal, match="is 400x2, which this network's"):
        write_heat_video(checkpoint, "cpu", LocalFile(narrow), None, tmp_path / "heat.mp4", Limits(max_pixels=50_000))
    assert not (tmp_path / "heat.mp4").exists()


def test_a_process_that_dies_or_hangs_costs_its_own_video_alone(serve, clip_folder: Path) -> None:
    clip = next(clip_folder.glob("test/*/*.avi"))
    served = serve(Limits(decode_seconds=3.0))
    refused(
        served.post(clip, name="crash.avi"), 422, "unreadable", "crash.avi: the process that read it ended by signal"
    )
    refused(served.post(clip, name="hang.avi"), 422, "too_slow", "hang.avi: it was not read within 3 seconds")
    answers = (served.post(clip).status_code for _ in range(10))  # a busy machine needs seconds for a new process
    assert 200 in answers
    nothing_left(served)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no limit of the memory that is used")
def test_a_video_that_takes_too_much_memory_is_refused_and_the_next_is_read(serve, clip_folder: Path) -> None:
    clip = next(clip_folder.glob("test/*/*.avi"))
    served = serve(Limits(max_memory_bytes=1024 * 2**20))
    refused(served.post(clip, name="vast.avi"), 422, "memory", "vast.avi: takes more than 1,024 MiB")
    assert served.post(clip).status_code == 200
    nothing_left(served)


def test_a_full_server_says_when_to_come_back(serve, clip_folder: Path) -> None:
    import httpx

    clip = next(clip_folder.glob("test/*/*.avi"))
    served = serve(Limits(max_queue=1, timeout_seconds=5.0, decode_seconds=60.0))
    with ThreadPoolExecutor(1) as other:
        hanging = other.submit(served.post, clip, name="hang.avi")
        while served.service.num_in_work == 0:
            time.sleep(0.01)
        second = served.post(clip)
        refused(second, 503, "busy", "1 requests are in work")
        assert int(second.headers["Retry-After"]) >= 1
        assert httpx.get(f"{served.url}/health").status_code == 200
        refused(hanging.result(), 503, "busy", "not answered within 5 s")
    assert 200 in (served.post(clip).status_code for _ in range(10))  # the process that hung was ended
    nothing_left(served)


def test_a_slow_client_and_one_that_goes_leave_nothing(serve) -> None:
    served = serve(Limits(timeout_seconds=1.0))
    head = f"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: {MULTIPART['Content-Type']}\r\n"
    start = f"{head}Content-Length: 5000\r\n\r\n".encode() + form(b"x" * 4000)[:2000]
    said = answer_to(served.url, start)
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b"did not come in within 1 s" in said
    with socket.create_connection(("127.0.0.1", port_of(served.url))) as client:
        client.sendall(start)
        while served.folder.num_files() == 0:
            time.sleep(0.01)
    nothing_left(served)


def test_an_exported_file_is_served_where_torch_cannot_be_imported(
    served, checkpoint: Path, clip_folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra runtime")
    from onnx_files import write_onnx

    for name in ABSENT:  # also in the processes that read
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('{name} is blocked', name='{name}')")
    (tmp_path / "once.py").write_text(SERVED_ONCE)
    clip = next(clip_folder.glob("test/left/*.avi"))
    words = [sys.executable, "once.py", write_onnx(checkpoint, tmp_path / "model.onnx"), clip]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["scores"] == pytest.approx(served.post(clip).json()["scores"], abs=1e-4)


def test_a_token_a_name_of_a_host_and_a_page_of_another_site(serve, clip_folder: Path, caplog) -> None:
    import httpx

    from vidcls.serve.app import Access

    clip = next(clip_folder.glob("test/*/*.avi"))
    served = serve(access=Access(token=TOKEN))
    caplog.set_level("DEBUG", logger="vidcls.serve")
    refused(served.post(clip), 401, "token", "Authorization: Bearer")
    refused(served.post(clip, Authorization="Bearer wrong"), 401, "token")
    refused(served.post(clip, Authorization=f"Basic {TOKEN}"), 401, "token")
    refused(httpx.get(f"{served.url}/info?token={TOKEN}"), 401, "token")
    assert served.post(clip, Authorization=f"Bearer {TOKEN}").status_code == 200
    assert httpx.get(f"{served.url}/health").status_code == 200
    refused(served.post(clip, Host="evil.example"), 403, "host")
    refused(served.post(clip, Origin="https://evil.example"), 403, "origin")
    assert served.post(clip, Origin=served.url, Authorization=f"Bearer {TOKEN}").status_code == 200
    behind_proxy = serve(access=Access(host_names=("labels.example",)))
    assert behind_proxy.post(clip, Host="labels.example", Origin="https://labels.example").status_code == 200
    assert behind_proxy.post(clip, Origin="https://labels.example").status_code == 200  # a proxy that names no host
    refused(behind_proxy.post(clip, Host="evil.example", Origin="https://labels.example"), 403, "host")
    refused(behind_proxy.post(clip, Origin="https://evil.example"), 403, "origin")
    lines = [record.getMessage() for record in caplog.records if record.name == "vidcls.serve"]
    assert any("'/predict' 200" in line for line in lines)
    assert not any(TOKEN in line for line in lines)


def test_addresses_of_allowed_kinds_are_read_but_not_those_of_private_networks(serve, web, clip_folder: Path) -> None:
    import httpx

    from vidcls.serve.app import Access

    clip = next(clip_folder.glob("test/*/*.avi"))
    web.files["/a.avi"] = clip.read_bytes()
    address = f"{web.url}/a.avi"
    body = json.dumps({"url": address})
    refused(httpx.post(f"{serve().url}/predict", content=body, headers=JSON), 403, "address", "private network")
    served = serve(access=Access(reads_private=True))
    answer = httpx.post(f"{served.url}/predict", content=body, headers=JSON, timeout=60)
    assert answer.status_code == 200, answer.text
    assert answer.json()["scores"] == pytest.approx(served.post(clip).json()["scores"], abs=1e-5)
    gone = json.dumps({"url": address.replace("a.avi", "gone.avi")})
    refused(httpx.post(f"{served.url}/predict", content=gone, headers=JSON, timeout=60), 422, "unreadable", "gone.avi")
    unknown = json.dumps({"url": "http://unknown.invalid/a.avi"})
    refused(
        httpx.post(f"{served.url}/predict", content=unknown, headers=JSON, timeout=60), 422, "unreachable", "unknown."
    )
    small = serve(Limits(max_bytes=1000), access=Access(reads_private=True))
    refused(httpx.post(f"{small.url}/predict", content=body, headers=JSON, timeout=60), 413, "too_large", "1,000")


def test_an_object_that_grows_after_its_size_was_told_is_not_fetched(web) -> None:
    from vidcls.serve.addresses import AddressedVideo
    from vidcls.video.remote_file import RemoteFile

    web.files["/a.avi"] = b"x" * 100
    video = AddressedVideo(RemoteFile(f"{web.url}/a.avi"), max_bytes=1000, reads_private=True)
    assert video.stamp() is not None
    web.files["/a.avi"] = b"x" * 5000
    with pytest.raises(UnreachableError, match="changed"), video.local_file():
        pass
    assert sum(path.stat().st_size for path in cache_folder().rglob("*") if path.is_file()) < 5000

"""``vidcls serve``: from the command to an answer, and its end in good order."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vidcls.cli import serve
from vidcls.errors import MissingExtraError

if TYPE_CHECKING:
    from fastapi import FastAPI

httpx = pytest.importorskip("httpx", reason="needs httpx")
pytest.importorskip("uvicorn", reason="needs the extra serve")


def test_the_page_of_a_run_has_its_test_split(run: Path, clip_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Answers in a thread of this process while the function runs, as the command does until a signal."""
    from vidcls.serve.server import running

    answers = {}

    def answered(app: FastAPI, listener: socket.socket, *, grace_seconds: float, started: Callable[[], object]) -> None:
        started()
        clip = next(clip_folder.glob("test/*/*.avi"))
        with running(app, listener) as url:
            answers["facts"] = httpx.get(f"{url}/page.json").json()
            answers["example"] = httpx.get(f"{url}/examples/0").content
            answers["gone"] = httpx.get(f"{url}/examples/99").status_code
            answers["report"] = httpx.get(f"{url}/report").json()
            answers["scores"] = httpx.post(f"{url}/predict", files={"file": clip.read_bytes()}, timeout=60).json()
            answers["page"] = httpx.get(url)

    assert serve.main([str(run), "--page", "--port", "0", "--num_workers", "1", "--max_mib", "2"], run=answered) == 0
    facts = answers["facts"]
    assert {one["label"] for one in facts["examples"]} == {"left", "right", "still"}
    assert (facts["max_mib"], facts["has_heat"], facts["has_report"]) == (2, True, False)
    assert answers["example"] in [path.read_bytes() for path in clip_folder.glob("test/*/*.avi")]
    assert answers["gone"] == 404
    assert "vidcls report" in answers["report"]["error"]
    assert sum(answers["scores"]["scores"].values()) == pytest.approx(1.0, abs=1e-5)
    assert "default-src 'none'" in answers["page"].headers["content-security-policy"]
    assert "http://127.0.0.1:" in capsys.readouterr().out


def test_a_port_in_use_and_a_missing_extra_are_said_in_one_line(vidcls, run: Path, monkeypatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert "another program listens there" in vidcls("serve", run, "--port", port).refusal()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "uvicorn" else name)
    assert 'pip install "vidcls[serve]"' in vidcls("serve", run, "--port", 0).refusal()
    with pytest.raises(MissingExtraError):
        serve.main([str(run)])


@pytest.mark.slow
def test_sigterm_finishes_what_is_in_work_and_leaves_nothing(run: Path, clip_folder: Path, tmp_path: Path) -> None:
    clip = next(clip_folder.glob("test/*/*.avi"))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary), "VIDCLS_TOKEN": "0123456789abcdef"}
    words = [sys.executable, "-c", "from vidcls.cli import entry; entry()", "serve", str(run), "--port", "0"]
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().partition(" at ")[2].partition("/predict")[0]
        port = int(url.rpartition(":")[2])
        token = {"Authorization": "Bearer 0123456789abcdef"}
        assert httpx.post(f"{url}/predict", files={"file": clip.read_bytes()}, timeout=60).status_code == 401
        body = httpx.Request("POST", url, files={"file": clip.read_bytes()}, headers={"Connection": "close", **token})
        content = body.read()
        head = "".join(f"{name}: {value}\r\n" for name, value in body.headers.items())
        with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
            client.sendall(f"POST /predict HTTP/1.1\r\n{head}\r\n".encode() + content[:-10])
            while not any(path.suffix != ".lock" for path in temporary.glob("vidcls-serve-*/*")):
                pass
            process.send_signal(signal.SIGTERM)  # while the upload is coming in
            client.sendall(content[-10:])
            said = client.makefile("rb").read()
        out, err = process.communicate(timeout=120)
    assert said.startswith(b"HTTP/1.1 200 "), said
    assert (process.returncode, out) == (0, "")
    assert err.strip() == "stopped"
    assert "0123456789abcdef" not in out + err
    assert list(temporary.glob("vidcls-serve-*")) == []

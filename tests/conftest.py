"""Clips that several tests read: a bright square that moves, written once for all of them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
import torch
from torch import Tensor

from vidcls.datasets import VideoFolder
from vidcls.video import write_video

if TYPE_CHECKING:
    from object_servers import S3Server, WebServer

hypothesis.settings.register_profile("vidcls", deadline=None)  # machines are noisy: no test fails for being slow
hypothesis.settings.load_profile("vidcls")

CLIP_CLASSES = ("left", "right", "still")
CLIP_NUM_FRAMES = 8
CLIP_HEIGHT_PX, CLIP_WIDTH_PX = 32, 40
OF_LAUNCHERS = (
    *("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"),
    "VIDCLS_RUN_FOLDER",
)
# For the programs that tests start, Ray's among them: two threads give other weights. ``one_thread`` sets it here.
os.environ["OMP_NUM_THREADS"] = "1"
# Ray reads it when it is first imported, and otherwise ends the tests with a head that is silent for a minute.
os.environ.setdefault("RAY_gcs_rpc_server_reconnect_timeout_s", "300")
REMOTE_LIMITS = {"VIDCLS_REMOTE_TIMEOUT": "2", "VIDCLS_REMOTE_RETRIES": "3", "no_proxy": "*"}
CLIPS_PER_CLASS = {"train": (4, 4, 4), "val": (1, 1, 1), "test": (3, 2, 2)}


def moving_square(step_px: int, start_px: int, *, num_frames: int = CLIP_NUM_FRAMES) -> Tensor:
    """A square that moves ``step_px`` to the right in each frame and wraps around: ``(T, 3, 32, 40)`` uint8."""
    texture = torch.randint(60, 255, (3, 10, 10), generator=torch.Generator().manual_seed(start_px))
    frame = torch.full((3, CLIP_HEIGHT_PX, CLIP_WIDTH_PX), 30)
    frame[:, 11:21, 11:21] = texture
    return torch.stack([frame.roll(start_px + step_px * t, dims=-1) for t in range(num_frames)]).to(torch.uint8)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Tensors of tests are tiny: a second thread costs more than it brings, above all on a busy machine.

    Set before each test: the number of threads changes the order in which floats are added, and so trained weights.
    """
    torch.set_num_threads(1)


@pytest.fixture
def hang_up_ends() -> Iterator[None]:
    """A hang-up ends programs that the test starts, also where the tests run under ``nohup``."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 22 clips of 8 frames of 32x40 px: 12 to train, 3 to validate, 7 to test, three classes."""
    root = tmp_path_factory.mktemp("clips")
    start_px = 0
    for split, numbers in CLIPS_PER_CLASS.items():
        for label, step_px, number in zip(CLIP_CLASSES, (-2, 2, 0), numbers, strict=True):
            for k in range(number):
                start_px += 3
                write_video(root / split / label / f"{k}.avi", moving_square(step_px, start_px), codec="mjpeg")
    return root


@pytest.fixture(scope="session")
def clip_dataset(clip_folder: Path) -> VideoFolder:
    """The clips of ``clip_folder`` as a data set."""
    return VideoFolder(clip_folder)


@pytest.fixture(autouse=True)
def environment_as_before() -> Iterator[None]:
    """Lightning and launchers note the number of a process in its environment, where the next test would find it.

    Not all variables: W&B and Ray keep there what belongs to the state of this process, its service and its token.
    """
    before = {name: os.environ.get(name) for name in OF_LAUNCHERS}
    yield
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """An S3 server of this machine, behind a proxy that can disturb it; one for all tests."""
    pytest.importorskip("moto.server", reason="needs moto[server]")
    pytest.importorskip("s3fs", reason="needs the extra remote")
    from object_servers import S3Server

    server = S3Server()
    yield server
    server.close()


@pytest.fixture
def s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[S3Server]:
    """The same with nothing disturbed, allowed, short limits of time, and a cache of this test alone."""
    from vidcls.remote.permission import allow_remote, permission_ends

    for name, value in {**s3_server.environment, **REMOTE_LIMITS, "XDG_CACHE_HOME": str(tmp_path / "cache")}.items():
        monkeypatch.setenv(name, value)
    s3_server.proxy.reset()
    with permission_ends():
        allow_remote("s3")
        yield s3_server
    s3_server.proxy.reset()


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[WebServer]:
    """A web server of this machine, allowed, with short limits of time, and a cache of this test alone."""
    pytest.importorskip("upath", reason="needs the extra remote")
    from object_servers import WebServer

    from vidcls.remote.permission import allow_remote, permission_ends

    for name, value in {**REMOTE_LIMITS, "XDG_CACHE_HOME": str(tmp_path / "cache")}.items():
        monkeypatch.setenv(name, value)
    server = WebServer()
    with permission_ends():
        allow_remote("http", "memory")
        yield server
    server.close()


@pytest.fixture
def other_web(web: WebServer) -> Iterator[WebServer]:
    """A second one, where a first may lead."""
    server = type(web)()
    yield server
    server.close()

"""Clips that several tests read: a bright square that moves, written once for all of them."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import torch
from torch import Tensor

from vidcls.datasets import VideoFolder
from vidcls.video import write_video

hypothesis.settings.register_profile("vidcls", deadline=None)  # machines are noisy: no test fails for being slow
hypothesis.settings.load_profile("vidcls")

CLIP_CLASSES = ("left", "right", "still")
CLIP_NUM_FRAMES = 8
CLIP_HEIGHT_PX, CLIP_WIDTH_PX = 32, 40
CLIPS_PER_CLASS = {"train": (4, 4, 4), "val": (1, 1, 1), "test": (3, 2, 2)}


def moving_square(step_px: int, start_px: int, *, num_frames: int = CLIP_NUM_FRAMES) -> Tensor:
    """A square that moves ``step_px`` to the right in each frame and wraps around: ``(T, 3, 32, 40)`` uint8."""
    texture = torch.randint(60, 255, (3, 10, 10), generator=torch.Generator().manual_seed(start_px))
    frame = torch.full((3, CLIP_HEIGHT_PX, CLIP_WIDTH_PX), 30)
    frame[:, 11:21, 11:21] = texture
    return torch.stack([frame.roll(start_px + step_px * t, dims=-1) for t in range(num_frames)]).to(torch.uint8)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tensors of tests are tiny: a second thread costs more than it brings, above all on a busy machine."""
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

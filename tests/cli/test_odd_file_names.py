"""Names of files may be any bytes: what is not Unicode is read, and written escaped or as it is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., object]
PYAV = ("--data.decoder", "pyav")  # FFmpeg takes names as they are


@pytest.fixture
def odd(clip_folder: Path, tmp_path: Path) -> Path:
    """The clips, one of the test split with a name of Latin-1."""
    folder = Path(shutil.copytree(clip_folder, tmp_path / "odd"))
    try:
        (folder / "test/left/0.avi").rename(folder / "test/left" / os.fsdecode(b"caf\xe9.avi"))
    except OSError:
        pytest.skip("this file system knows Unicode names alone")
    return folder


def test_such_a_video_is_trained_on_tested_and_shown(vidcls: Command, run: Path, tiny: Path, odd: Path) -> None:
    words = ("--data.dataset.root", odd, *PYAV)
    assert vidcls("fit", "--config", tiny, *words, "--trainer.max_epochs", "1", "--run", "mine").status == 0
    assert vidcls("test", "--run", run, *words).status == 0
    rows = (run / "tests" / "odd" / "test.csv").read_text(encoding="utf-8").splitlines()
    assert [row.split(",")[0] for row in rows if "caf" in row] == [r"test/left/caf\udce9.avi"]
    assert vidcls("data", "browse", odd, "--output", "page.html", *PYAV, "--num_samples", "1").status == 0
    assert r"caf\udce9.avi" in Path("page.html").read_text(encoding="utf-8")

"""Checkpoints are written whole, unless the user's own plugin writes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., object]
OWN = """
from pathlib import Path

from lightning.pytorch.plugins.io import TorchCheckpointIO

class Counting(TorchCheckpointIO):
    def save_checkpoint(self, checkpoint, path, storage_options=None):
        super().save_checkpoint(checkpoint, path, storage_options)
        with Path("saved.txt").open("a") as file:
            print(Path(path).name, file=file)
"""


def test_checkpoints_are_written_beside_their_place(
    vidcls: Command, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "not there"))  # which Lightning's own way needs
    assert vidcls("fit", "--config", tiny, "--run", "mine", "--trainer.max_epochs", "1").status == 0
    assert {path.name for path in (tmp_path / "mine" / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}


def test_a_plugin_of_the_user_writes_them_in_place_of_ours(vidcls: Command, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    words = ("--run", "mine", "--trainer.max_epochs", "1", "--trainer.plugins", "own.Counting")
    outcome = vidcls("fit", "--config", tiny, *words)
    assert outcome.status == 0, outcome
    assert (tmp_path / "saved.txt").read_text().split() == ["best.ckpt", "last.ckpt"]

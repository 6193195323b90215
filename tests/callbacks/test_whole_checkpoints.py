"""Checkpoints are the old or the new one, and beside their place until they are whole."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch

from vidcls.callbacks import WholeCheckpoints

WEIGHTS = {"weight": torch.arange(6.0)}


def test_a_checkpoint_is_read_back_with_its_folder_made(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints" / "last.ckpt"
    WholeCheckpoints().save_checkpoint({"state_dict": WEIGHTS, "epoch": 3}, path)
    content = WholeCheckpoints().load_checkpoint(path, weights_only=True)
    assert content["epoch"] == 3
    assert torch.equal(content["state_dict"]["weight"], WEIGHTS["weight"])


def test_it_goes_nowhere_but_to_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder for temporary files may lie on another disk, from where nothing can be renamed."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "not there"))
    WholeCheckpoints().save_checkpoint(WEIGHTS, tmp_path / "run" / "last.ckpt")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["last.ckpt"]


def test_a_full_disk_leaves_the_checkpoint_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.ckpt"
    WholeCheckpoints().save_checkpoint(WEIGHTS, path)
    before = path.read_bytes()

    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=r"last\.ckpt") as caught:
        WholeCheckpoints().save_checkpoint({"weight": torch.zeros(99)}, path)
    assert caught.value.errno == errno.ENOSPC
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]

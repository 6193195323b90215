"""Checkpoints are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch import Trainer

from vidcls.callbacks import write_whole_checkpoints
from vidcls.callbacks.checkpoint_file import WholeCheckpointIO
from vidcls.errors import CheckpointError


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    WholeCheckpointIO().save_checkpoint({"weights": torch.arange(5)}, tmp_path / "new" / "a.ckpt")
    assert torch.equal(torch.load(tmp_path / "new" / "a.ckpt", weights_only=True)["weights"], torch.arange(5))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.ckpt"]


def test_where_there_is_no_room_the_old_one_stays_and_one_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    WholeCheckpointIO().save_checkpoint({"step": 1}, tmp_path / "a.ckpt")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    words = r"a\.ckpt: cannot be written \(No space left on device\).*is intact"
    with pytest.raises(CheckpointError, match=words) as caught:
        WholeCheckpointIO().save_checkpoint({"step": 2}, tmp_path / "a.ckpt")
    assert "\n" not in str(caught.value)
    assert torch.load(tmp_path / "a.ckpt", weights_only=True) == {"step": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["a.ckpt"]


def test_a_plugin_of_the_users_own_is_kept(tmp_path: Path) -> None:
    class Own(TorchCheckpointIO):
        pass

    plain = Trainer(accelerator="cpu", logger=False, default_root_dir=tmp_path)
    write_whole_checkpoints(plain)
    assert isinstance(plain.strategy.checkpoint_io, WholeCheckpointIO)
    given = Trainer(accelerator="cpu", logger=False, default_root_dir=tmp_path, plugins=[Own()])
    write_whole_checkpoints(given)
    assert isinstance(given.strategy.checkpoint_io, Own)

"""What a training shows while it runs: one line that moves on a terminal, one that stays for each epoch."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from lightning.pytorch import Trainer

from vidcls.callbacks import ProgressLine

NUM_COLUMNS = 80


class Terminal(StringIO):
    """Text that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[StringIO], tuple[str, str]]:
    """Trains and tests in two epochs; gives stdout and what came to stderr."""
    from every_model import small
    from torch.utils.data import DataLoader

    from vidcls.models import SingleFrame
    from vidcls.types import ClipSettings

    monkeypatch.setenv("COLUMNS", str(NUM_COLUMNS))

    def run(stderr: StringIO) -> tuple[str, str]:
        import torch

        batch = {
            "streams": {"rgb": torch.randn(2, 3, 1, 16, 16)},
            "label": torch.tensor([0, 1]),
            "index": torch.arange(2),
        }
        loader = DataLoader([batch, batch, batch], batch_size=None)  # type: ignore[arg-type]
        out = StringIO()
        with redirect_stderr(stderr), redirect_stdout(out):
            trainer = Trainer(
                max_epochs=2,
                accelerator="cpu",
                logger=False,
                enable_checkpointing=False,
                enable_model_summary=False,
                default_root_dir=tmp_path,
                callbacks=[ProgressLine()],
            )
            trainer.fit(small(SingleFrame, ["a", "b"], ClipSettings()), loader)
        return out.getvalue(), stderr.getvalue()

    return run


def test_each_epoch_leaves_one_line(shown: Callable[[StringIO], tuple[str, str]]) -> None:
    for stderr in (StringIO(), Terminal()):
        out, _ = shown(stderr)
        lines = out.splitlines()
        assert len(lines) == 2
        for number, line in enumerate(lines, start=1):
            assert re.fullmatch(rf"epoch {number} of 2: train/loss \d\.\d{{4}}", line)


def test_in_a_file_no_line_moves(shown: Callable[[StringIO], tuple[str, str]]) -> None:
    assert "\r" not in shown(StringIO())[1]


def test_on_a_terminal_one_line_moves_and_none_is_wider_than_it(shown: Callable[[StringIO], tuple[str, str]]) -> None:
    moved = shown(Terminal())[1]
    states = [state for state in re.split(r"[\r\n]", moved) if state.strip()]
    assert any(re.match(r"epoch 1 of 2: +33%.* 1/3 .*loss=", state) for state in states)
    assert any(re.match(r"epoch 2 of 2: 100%.* 3/3 .*loss=", state) for state in states)
    assert max(map(len, states)) <= NUM_COLUMNS
    assert "\n" not in moved  # nothing of it stays

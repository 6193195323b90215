"""What a training shows while it runs: one line that moves on a terminal, one that stays for each epoch."""

from __future__ import annotations

import logging
import os
import re
import struct
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info

from vidcls.callbacks import BestCheckpoint, BestEpoch, ProgressLine

HINT = f"the network waited for data: {'and many words of what helps ' * 5}"
NUMBER = r"\d*\.\d+"
SCORES = rf"loss {NUMBER}  val loss {NUMBER}  top1 {NUMBER} \(best {NUMBER}, epoch \d\)(  lr {NUMBER})?"


class Terminal(StringIO):
    """Text that says it is a terminal; output and errors lie in one, as on a screen."""

    def isatty(self) -> bool:
        return True

    def screen(self) -> list[str]:
        """What is to be read in the end."""
        rows: list[str] = []
        for line in self.getvalue().split("\n"):
            row = ""
            for part in line.split("\r"):
                row = part + row[len(part) :]
            rows.append(row.rstrip())
        return [row for row in rows if row]

    def moving(self) -> list[str]:
        """Every state of the line that moves."""
        return [state.rstrip() for state in re.findall(r"\r(epoch [^\r\n]*)", self.getvalue())]


class Speaks(Callback):
    """Says things in all ways in the middle of an epoch."""

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: object) -> None:
        if (trainer.current_epoch, trainer.global_step) == (0, 2):
            rank_zero_info(HINT)
            logging.getLogger("vidcls.x").warning("a note")
            print("a line of a callback")
            pl_module.print("a line of the model")
            print("a line on stderr", file=sys.stderr)


Run = Callable[..., list[str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Trains two epochs of three batches on this stream, for so many columns; gives the lines of stdout."""
    from every_model import small
    from torch.utils.data import DataLoader

    from vidcls.models import SingleFrame
    from vidcls.types import ClipSettings

    def train(out: StringIO, err: StringIO, *more: Callback, columns: int = 80, **options: object) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr("vidcls.callbacks.progress_line.SECONDS_BETWEEN", 0.0)
        torch.manual_seed(0)
        batch = {
            "streams": {"rgb": torch.randn(2, 3, 1, 16, 16)},
            "label": torch.tensor([0, 1]),
            "index": torch.arange(2),
        }
        loader = DataLoader([batch, batch, batch], batch_size=None)  # type: ignore[arg-type]
        with redirect_stderr(err), redirect_stdout(out):
            trainer = Trainer(
                accelerator="cpu",
                logger=False,
                enable_model_summary=False,
                default_root_dir=tmp_path,
                callbacks=[*more, BestEpoch(), BestCheckpoint(tmp_path, monitor="val/top1"), ProgressLine()],
                **{"max_epochs": 2, **options},  # type: ignore[arg-type]
            )
            trainer.fit(small(SingleFrame, ["a", "b"], ClipSettings()), loader, loader)
        return out.getvalue().splitlines()

    return train


def test_each_epoch_leaves_one_line_and_the_first_says_how_long_all_will_take(run: Run) -> None:
    expected = (
        rf"epoch 1/2  {SCORES}  ETA \d:\d\d",
        r"expected: \d+ s for the whole training .*",
        rf"epoch 2/2  {SCORES}",
    )
    for err in (StringIO(), Terminal()):
        lines = run(StringIO(), err)
        assert len(lines) == len(expected)
        for line, pattern in zip(lines, expected, strict=True):
            assert re.fullmatch(pattern, line), line


def test_in_a_file_no_line_moves(run: Run) -> None:
    err = StringIO()
    run(StringIO(), err)
    assert "\r" not in err.getvalue()


@pytest.mark.parametrize("columns", [60, 80, 130])
def test_on_a_terminal_one_line_moves_and_none_is_wider_than_it(run: Run, columns: int) -> None:
    terminal = Terminal()
    run(terminal, terminal, columns=columns)
    states = terminal.moving()
    assert any(state.startswith("epoch 1/2") and "loss" in state for state in states)
    assert any("validation 3/3" in state for state in states)
    shows_all = any(re.match(r"epoch 2/2  2/3  loss .*  val loss .*  lr", state) for state in states)
    assert shows_all == (columns == 130)
    assert max(map(len, [*states, *terminal.screen()])) < columns
    assert "\x1b" not in terminal.getvalue()  # no second line
    assert len(terminal.screen()) == 3  # two epochs and the time


def test_what_is_said_meanwhile_stands_whole_above_the_line_and_once(run: Run) -> None:
    terminal = Terminal()
    handler = logging.StreamHandler(terminal)
    notes = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    notes.addHandler(handler)
    logging.getLogger("vidcls").addHandler(handler)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("vidcls.callbacks.above_line._LOGGERS", ("vidcls", notes.name))
            run(terminal, terminal, Speaks())
    finally:
        notes.removeHandler(handler)
        logging.getLogger("vidcls").removeHandler(handler)
    rows = terminal.screen()
    for said in ("a note", "a line of a callback", "a line of the model", "a line on stderr", HINT.rstrip()):
        assert rows.count(said) == 1, rows
    assert handler.stream is terminal
    assert [row[:9] for row in rows if row.startswith("epoch")] == ["epoch 1/2", "epoch 2/2"]
    assert terminal.moving()


def test_the_check_before_the_first_epoch_shows_no_number(run: Run) -> None:
    terminal = Terminal()
    run(terminal, terminal, columns=130)
    first = [state for state in terminal.moving() if state.startswith("epoch 1/2") and "validation" not in state]
    assert not any("top1" in state or "val loss" in state for state in first[:3])


def test_an_epoch_without_validation_does_not_show_the_scores_of_an_earlier_one(run: Run) -> None:
    lines = [
        line for line in run(StringIO(), StringIO(), check_val_every_n_epoch=2, max_epochs=3) if "epoch" in line[:5]
    ]
    assert ["top1" in line for line in lines] == [False, True, False]


@pytest.mark.parametrize("size", [(0, 0), (0, 80)])
def test_a_terminal_that_does_not_know_its_size_has_a_moving_line(
    run: Run, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    pty, fcntl, termios = (pytest.importorskip(name) for name in ("pty", "fcntl", "termios"))
    first, second = pty.openpty()
    fcntl.ioctl(second, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    terminal = Terminal()
    with os.fdopen(second, "w") as device, os.fdopen(first, "rb"):
        terminal.fileno = device.fileno  # type: ignore[method-assign]
        monkeypatch.setattr(sys, "stderr", terminal)
        run(terminal, terminal, columns=0)
    states = terminal.moving()
    assert any(state.startswith("epoch 2/2  2/3  loss") for state in states)
    assert max(map(len, states)) < 80

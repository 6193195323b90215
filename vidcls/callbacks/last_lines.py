"""A training that has ended -> the lines that say what came of it, and what to do next.

::

    trained: runs/conv3d/2026-01-31_12-00-00 (checkpoints/best.ckpt, checkpoints/last.ckpt, metrics.csv, curves.png)
    best: epoch 31 of 40, val/top1 .65
      top-1 65.0 % (13 of 20 videos); 95 % interval 43.3 to 81.9 % over 9 groups
        without looking at the videos: guessing 12.5 %, always "left" 15.0 %
      chosen among 40 epochs by these videos, so it is optimistic: report the score of the test
    next: vidcls test --run runs/conv3d/2026-01-31_12-00-00
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from lightning.pytorch import Trainer

from vidcls.callbacks.best_epoch import best_checkpoint, best_epoch, best_of
from vidcls.callbacks.progress_text import short_number
from vidcls.callbacks.validation_reading import validation_reading
from vidcls.loading import VideoDataModule
from vidcls.remote.permission import OPTION as REMOTE_OPTION
from vidcls.remote.permission import allowed_remote
from vidcls.runs.folder import BEST, LAST, checkpoint_in
from vidcls.trusted_classes import OPTION, allowed_classes


def last_lines(trainer: Trainer, run: Path, written: Sequence[str]) -> list[str]:
    """What a user wants to know at the end, and a command that can be pasted.

    Args:
        trainer: its training has ended.
        run: the run folder.
        written: the files in it that are worth naming.
    """
    lines = [f"trained: {run} ({', '.join(written)})"]
    checkpoint = best_checkpoint(trainer)
    if checkpoint is not None and checkpoint.best_model_score is not None:
        value, best = float(checkpoint.best_model_score), best_of(trainer)
        epoch = ""
        if best is not None and best.epoch is not None and best.value == value:
            epoch = f"epoch {best.epoch} of {trainer.current_epoch}, "
        lines.append(f"best: {epoch}{checkpoint.monitor} {short_number(value)}")
        if epoch:
            lines += [f"  {line}" for line in _reading(trainer)]
    return [*lines, *_next(trainer, run)]


def _reading(trainer: Trainer) -> list[str]:
    """What the score of the best epoch is worth."""
    data, noted = trainer.datamodule, best_epoch(trainer)  # type: ignore[attr-defined]
    if noted is None or not noted.validated or not isinstance(data, VideoDataModule):
        return []
    lines = validation_reading(data, noted.validated)
    if lines and trainer.current_epoch > 1:
        lines.append(
            f"chosen among {trainer.current_epoch} epochs by these videos, so it is optimistic: report the score of "
            "the test"
        )
    return lines


def next_command(command: str, run: Path, *words: str) -> str:
    """A command about a run that a shell takes as it is, with the classes that were allowed for the training."""
    return command_about(command, "--run", run, *words)


def command_about(command: str, *words: str | Path) -> str:
    """A command that a shell takes as it is, with the classes and the protocols that were allowed for this one."""
    allowed = [word for prefix in allowed_classes() for word in (OPTION, prefix)]
    if protocols := allowed_remote():
        allowed += [REMOTE_OPTION, *protocols]
    return shlex.join(["vidcls", command, *map(str, words), *allowed])


def _next(trainer: Trainer, run: Path) -> list[str]:
    data = trainer.datamodule  # type: ignore[attr-defined]
    if not isinstance(data, VideoDataModule):
        return []
    has_test = any(record.split == "test" for record in data.records)
    names = [name for name in (BEST, LAST) if checkpoint_in(run, name).is_file()]
    if not names:
        return []
    which = () if names[0] == BEST else ("--ckpt_path", names[0])
    return [f"next: {next_command('test' if has_test else 'validate', run, *which)}"]

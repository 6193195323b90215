"""How far a training is -> one line that fits the terminal.

At 130 columns, at 80 and at 60::

    epoch 3/40  12/24  loss .82  val loss .91  top1 .61 (best .65, epoch 2)  105 clips/s  waiting 4 %  lr .001  ETA 2:10
    epoch 3/40  12/24  loss .82  top1 .61 (best .65)  105/s  wait 4 %  ETA 2:10
    epoch 3/40  12/24  loss .82  top1 .61 (best .65)  ETA 2:10
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TextIO

SEPARATOR = "  "
USUAL_COLUMNS = 80
_MOST_DIGITS = 4


@dataclass(frozen=True)
class Best:
    """The best score of the validation so far.

    Args:
        value: the score.
        epoch: in which it was reached, from 1; None where that is not known.
    """

    value: float
    epoch: int | None = None


@dataclass(frozen=True)
class Progress:
    """How far a training is; what is not known is None, and not shown.

    Args:
        epoch: the running one, from 1.
        num_epochs: of the whole training.
        place: within the epoch, such as ``12/24`` or ``validation 3/8``.
        loss: of the training.
        val_loss: of the last validation.
        score_name: of the number by which the best epoch is chosen, such as ``top1``.
        score: of the last validation.
        best: of all validations.
        clips_per_second: of all processes together.
        waiting_share: of the time in which the loader had no batch ready.
        learning_rate: of the optimiser, the highest of several.
        memory_bytes: most memory of the GPU that was in use.
        seconds_left: until the training ends.
    """

    epoch: int
    num_epochs: int | None = None
    place: str | None = None
    loss: float | None = None
    val_loss: float | None = None
    score_name: str = "score"
    score: float | None = None
    best: Best | None = None
    clips_per_second: float | None = None
    waiting_share: float | None = None
    learning_rate: float | None = None
    memory_bytes: int | None = None
    seconds_left: float | None = None

    def line(self, num_columns: int | None) -> str:
        """All that fits into so many columns, what matters most first; None has room for everything."""
        line = ""
        for shown, is_short in self._from_long_to_short():
            line = SEPARATOR.join(shown.fields(is_short=is_short))
            if num_columns is None or len(line) < num_columns:  # a full last column would begin another line
                return line
        return line[: max(0, (num_columns or 0) - 1)]

    def _from_long_to_short(self) -> Iterator[tuple[Progress, bool]]:
        """This, then with less and less; and whether words are shortened."""
        shown = self
        yield shown, False
        for name in ("memory_bytes", "learning_rate", "val_loss"):
            shown = shown.without(name)
            yield shown, False
        if shown.best is not None:
            shown = replace(shown, best=Best(shown.best.value))
            yield shown, False
        yield shown, True
        for name in ("waiting_share", "clips_per_second", "best", "loss", "seconds_left", "score"):
            shown = shown.without(name)
            yield shown, True

    def without(self, name: str) -> Progress:
        """The same where one thing is not known."""
        nothing: dict[str, Any] = {name: None}
        return replace(self, **nothing)

    def fields(self, *, is_short: bool) -> Iterator[str]:
        """What is known, in the order of the line; with short words where wanted."""
        yield f"epoch {self.epoch}" + (f"/{self.num_epochs}" if self.num_epochs is not None else "")
        if self.place is not None:
            yield self.place
        if self.loss is not None:
            yield f"loss {short_number(self.loss)}"
        if self.val_loss is not None:
            yield f"val loss {short_number(self.val_loss)}"
        if self.score is not None:
            best = ""
            if self.best is not None:
                epoch = f", epoch {self.best.epoch}" if self.best.epoch is not None else ""
                best = f" (best {short_number(self.best.value)}{epoch})"
            yield f"{self.score_name} {short_number(self.score)}{best}"
        if self.clips_per_second is not None:
            yield f"{_rate(self.clips_per_second)}{'/s' if is_short else ' clips/s'}"
        if self.waiting_share is not None:
            yield f"{'wait' if is_short else 'waiting'} {self.waiting_share:.0%}".replace("%", " %")
        if self.learning_rate is not None:
            yield f"lr {f'{self.learning_rate:.2g}'.replace('0.', '.', 1)}"
        if self.memory_bytes is not None:
            yield f"{self.memory_bytes / 1e9:.1f} GB"
        if self.seconds_left is not None:
            yield f"ETA {clock(self.seconds_left)}"


def short_number(value: float) -> str:
    """Two digits after the point, more where those would say 0 or 1 of what is not.

    >>> print(short_number(0.823), short_number(1.5), short_number(12.34), short_number(0.9967), short_number(0.0004))
    .82 1.50 12.3 .997 .0004
    """
    if not math.isfinite(value):
        return str(value)
    if abs(value) >= 10:
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}"
    for num_digits in range(2, _MOST_DIGITS + 1):
        text = f"{value:.{num_digits}f}"
        if float(text) not in (0, 1) or value in (0, 1):
            break
    return text.replace("0.", ".", 1) if abs(float(text)) < 1 else text


def clock(seconds: float) -> str:
    """Hours, minutes and seconds.

    >>> print(clock(7), clock(130), clock(3730))
    0:07 2:10 1:02:10
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def num_columns(stream: TextIO) -> int | None:
    """Of a terminal; None of anything else, such as a file."""
    if not stream.isatty():
        return None
    if (given := os.environ.get("COLUMNS", "")).isdecimal() and int(given):
        return int(given)
    try:
        return os.get_terminal_size(stream.fileno()).columns or USUAL_COLUMNS
    except (OSError, ValueError):
        return USUAL_COLUMNS


def _rate(clips_per_second: float) -> str:
    return f"{clips_per_second:.0f}" if clips_per_second >= 10 else f"{clips_per_second:.1f}"

"""Lines that are printed while another line moves -> whole lines above it."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import TextIO, cast

from tqdm import tqdm

_LOGGERS = ("", "vidcls", "lightning", "lightning.pytorch", "lightning.fabric", "pytorch_lightning")


@contextmanager
def notes_above(bar: tqdm) -> Iterator[None]:
    """Within it, what is printed, logged or warned of stands above the bar, each line whole.

    Args:
        bar: the line that moves.
    """
    with ExitStack() as stack:
        out, error = _AboveLine(sys.stdout, bar), _AboveLine(sys.stderr, bar)
        handlers = {handler for name in _LOGGERS for handler in logging.getLogger(name).handlers}
        for handler in handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream in (sys.stdout, sys.stderr):
                before = handler.setStream(cast(TextIO, out if handler.stream is sys.stdout else error))
                stack.callback(handler.setStream, before)
        stack.callback(out.end)
        stack.callback(error.end)
        stack.enter_context(redirect_stdout(cast(TextIO, out)))
        stack.enter_context(redirect_stderr(cast(TextIO, error)))
        yield


class _AboveLine:
    """A stream in whose way a line moves: the line is cleared for what is written, and comes back behind it."""

    def __init__(self, stream: TextIO, bar: tqdm) -> None:
        self._stream = stream
        self._bar = bar
        self._begun = ""
        self._process = os.getpid()

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write the lines that are whole by now."""
        if os.getpid() != self._process:  # of a loader's worker, which knows nothing of where the line is
            return self._stream.write(text)
        lines, newline, self._begun = (self._begun + text).rpartition("\n")
        if newline:
            self._bar.clear()
            self._stream.write(lines + newline)
            self._stream.flush()
            self._bar.refresh()
        return len(text)

    def end(self) -> None:
        """Write what was begun."""
        if self._begun:
            self._stream.write(self._begun)
            self._begun = ""

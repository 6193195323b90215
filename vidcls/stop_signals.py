"""Ctrl+C, ``kill`` and a closed terminal -> an exception where the program is, so that it tidies up, and a status.

The status is 128 and the number of the signal, as shells have it: 130, 143, 129.
"""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import NoReturn

ENDING = (signal.SIGTERM, signal.SIGHUP) if hasattr(signal, "SIGHUP") else (signal.SIGTERM,)
_received: list[int] = []


class Interrupt:
    """What Ctrl+C does: the first ends the work, the second says that this takes time, the third ends at once."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Take one."""
        self.count += 1
        if self.count == 1:
            raise KeyboardInterrupt
        if self.count > 2:
            os._exit(128 + number)
        os.write(2, b"stopping; Ctrl+C once more ends at once\n")


def raise_on_signals() -> None:
    """Let signals that end a program raise; those that are ignored, as behind ``nohup``, stay so.

    Processes that are forked from this one take them as ever.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, Interrupt())
    for number in ENDING:
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _leave)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_as_before)


def ending_status() -> int | None:
    """The exit status for the signal that ends this program; None where none came."""
    return 128 + _received[0] if _received else None


def end_quietly() -> None:
    """At the end of the program: Ctrl+C is too late and would leave a traceback; the others end it without one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _as_before()


def drop_terminal() -> None:
    """After a terminal was closed, write to nowhere: a write to it is an error, and the work is not done yet."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        try:
            os.write(stream, b"")
            is_terminal = os.isatty(stream)
        except OSError:
            is_terminal = True
        if is_terminal:
            os.dup2(nowhere, stream)
    os.close(nowhere)


def _leave(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    for ending in ENDING:
        signal.signal(ending, signal.SIG_IGN)  # once is enough
    if number != signal.SIGTERM:
        drop_terminal()
    _received.append(number)
    raise SystemExit(128 + number)


def _as_before() -> None:
    for number in ENDING:
        if signal.getsignal(number) == _leave:
            signal.signal(number, signal.SIG_DFL)

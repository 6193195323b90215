"""What Lightning and torch say while they work -> what a user of the command line needs to read."""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path

import lightning

import vidcls

LOGGERS = ("lightning", "lightning.pytorch", "lightning.fabric", "pytorch_lightning", "lightning_fabric")
_PACKAGE = str(Path(vidcls.__file__).parent)
# Callbacks that a user asks for, such as finders and timers, say what they did.
_ASKED_FOR = tuple(str(Path(lightning.__file__).parent / "pytorch" / part) for part in ("callbacks", "tuner"))
# Warnings to developers, not to users of ours.
ADVICE = (
    "does not have many workers",
    "recommended to use .self.log",
    "is smaller than the logging",
    "callbacks used to create the checkpoint",
    "isinstance\\(treespec, LeafSpec\\)",
    "Checkpoint directory .* exists and is not empty",  # as where a training goes on
    "This DataLoader will create",  # vidcls says so itself, once
    "was called before the ``update`` method",  # of a process that no validation video was dealt to
    "module.s. in eval mode at the start of training",  # frozen ones stay in it
)


def is_verbose() -> bool:
    """Whether ``--verbose`` stands behind the command."""
    return logging.getLogger("vidcls").isEnabledFor(logging.DEBUG)


def quiet_libraries() -> None:
    """Show what vidcls and asked-for callbacks note, and of the libraries themselves warnings and errors alone.

    Left out is, among others, which devices are not there, which seed was set and that the last epoch was reached; with
    ``--verbose`` nothing is.
    """
    for name in LOGGERS:
        for handler in logging.getLogger(name).handlers:
            handler.removeFilter(is_worth_reading)
            if not is_verbose():
                handler.addFilter(is_worth_reading)
    if is_verbose():
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for message in ADVICE:
        warnings.filterwarnings("ignore", message=f".*{message}.*")


def is_worth_reading(record: logging.LogRecord) -> bool:
    """Whether a note is a warning, or of vidcls or of a callback of the user's.

    Lightning logs for whoever calls it, so the file tells who speaks.
    """
    return record.levelno >= logging.WARNING or record.pathname.startswith((_PACKAGE, *_ASKED_FOR))

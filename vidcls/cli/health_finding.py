"""What one check of the installation found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "note", "fail"]
"""``note`` is for what one can do without, ``fail`` for what one cannot."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Args:
        group: what kind of thing it is.
        name: what was looked at.
        status: whether it works, and whether that matters.
        detail: version, size, or the reason why not.
        fix: the command or the step that mends it; empty where there is nothing to mend.
    """

    group: str
    name: str
    status: Status
    detail: str
    fix: str = ""

"""A file -> whether ``vidcls pack`` wrote it, which takes a few bytes to tell, and what to do with it. No torch."""

from __future__ import annotations

import shlex
import struct
from pathlib import Path

_BEGINNING = b"PK\x03\x04"  # of the first file in a zip file
_HEADER = struct.Struct("<26xHH")  # its header up to the length of its name, and that of what comes after the name


def unpacking(path: Path) -> str:
    """What to do with a packed model, for a message."""
    return f"unpack it first (unzip {shlex.quote(str(path))}) and pass the folder"


def why_packed(path: Path) -> str | None:
    """What a message says of a packed model, which is no checkpoint; None for any other file.

    Its first file is the checkpoint, as ``model/checkpoints/best.ckpt``; that of ``torch.save`` is ``.../data.pkl``.
    """
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER.size)
            if not header.startswith(_BEGINNING) or len(header) < _HEADER.size:
                return None
            name = file.read(_HEADER.unpack(header)[0])
    except OSError:
        return None
    return f"is a packed model: {unpacking(path)}" if b"/checkpoints/" in name and name.endswith(b".ckpt") else None

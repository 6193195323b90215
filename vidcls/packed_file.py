"""A zip file -> whether ``vidcls pack`` wrote it, or ``vidcls export`` of an ensemble. No torch."""

from __future__ import annotations

import shlex
import struct
import zipfile
from pathlib import Path

ENSEMBLE_SUFFIX = ".zip"
"""Of an exported ensemble: an ONNX file for each member, and ``ensemble.json``, which says how they answer together."""
ENSEMBLE_NAME = "ensemble.json"
MEMBERS_FOLDER = "members"
_BEGINNING = b"PK\x03\x04"  # of the first file in a zip file
_HEADER = struct.Struct("<26xHH")  # its header up to the length of its name, and that of what comes after the name


def is_exported_ensemble(path: Path) -> bool:
    """Whether ``vidcls export`` wrote a file for an ensemble; nothing is read of it but its list of files."""
    if path.suffix.lower() != ENSEMBLE_SUFFIX:
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return ENSEMBLE_NAME in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


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

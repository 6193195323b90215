"""A run without the checkpoint that was asked for -> why it has none, in the words of a message."""

from __future__ import annotations

from pathlib import Path

from vidcls.folder_lock import is_held
from vidcls.runs.folder import CHECKPOINTS, checkpoint_name

STOPPED = "it was stopped before its first epoch ended"


def why_missing(run: Path) -> str:
    """What became of it: ``it is still training`` or ``it was stopped before its first epoch ended``.

    Args:
        run: the folder of a training that has no such checkpoint.
    """
    if is_held(run):
        return "it is still training"
    others = sorted(path.name for path in (run / CHECKPOINTS).glob("*.ckpt"))
    if others:
        return f"it has {', '.join(checkpoint_name(Path(name).stem) for name in others)}"
    return STOPPED

"""The checkpoint of another network -> the weights of one part of a network."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from vidcls.errors import CheckpointError, unlike
from vidcls.models.checkpoint import read_checkpoint
from vidcls.tasks import Task


def load_part(path: str | Path, part: str, net: nn.Module, head: nn.Module, task: Task) -> None:
    """Load the net and the head of one part of a two-stream checkpoint, or of a single-frame network, in place.

    Raises:
        CheckpointError: the checkpoint has no such part, another task, other classes, or another backbone.
    """
    facts = read_checkpoint(path)
    if facts.task != task.name:
        raise CheckpointError(f"{path}: has the task {facts.task}, the data has {task.name}")
    if facts.class_names != task.class_names:
        known, found = unlike(facts.class_names, task.class_names)
        raise CheckpointError(f"{path}: knows the classes {known}, the data has {found}")
    prefixes = {net: (f"nets.{part}.", "backbone."), head: (f"heads.{part}.", "head.")}
    for module, candidates in prefixes.items():
        prefix = next((p for p in candidates if any(key.startswith(p) for key in facts.state_dict)), None)
        if prefix is None or (prefix == candidates[1] and part != "spatial"):
            raise CheckpointError(f"{path}: {facts.class_path} has no {part} stream")
        state = {k.removeprefix(prefix): v for k, v in facts.state_dict.items() if k.startswith(prefix)}
        try:
            module.load_state_dict(state)
        except RuntimeError as error:
            reason = str(error).splitlines()[-1].strip()
            raise CheckpointError(f"{path}: its {part} stream is another network ({reason})") from error

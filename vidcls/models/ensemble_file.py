"""The checkpoints of several networks -> one file that answers like all of them together, and back.

It is called like any checkpoint, ``checkpoints/best.ckpt`` of its run, holds the weights and the facts of each member
whole, and is all that is needed to predict: no member can be lost, moved or trained on.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import torch

import vidcls
from vidcls.errors import CheckpointError, ConfigurationError
from vidcls.files import atomic_write
from vidcls.models.checkpoint import (
    ENSEMBLE_KEY,
    FACTS_KEY,
    MEMBERS_KEY,
    CheckpointFacts,
    facts_in,
    read_checkpoint,
    read_content,
)
from vidcls.tasks.ensemble import Ensemble

FORMAT = 1
KEPT = ("state_dict", "hyper_parameters", "global_step", FACTS_KEY)  # not the optimiser's state, nor a callback's


def write_ensemble(path: Path, ensemble: Ensemble, checkpoints: Sequence[Path]) -> None:
    """Write the file, whole or not at all.

    Args:
        path: of the file.
        ensemble: how its members answer together.
        checkpoints: of the members, in the order of their names.

    Raises:
        CheckpointError: one of them cannot be used, or is an ensemble itself.
        OSError: the file cannot be written.
    """
    members: list[dict[str, object]] = []
    for checkpoint in checkpoints:
        read_checkpoint(checkpoint)  # says what is wrong with it
        members.append({name: value for name, value in read_content(checkpoint).items() if name in KEPT})
    facts = {"format": FORMAT, "version": vidcls.__version__, ENSEMBLE_KEY: ensemble.to_dict()}
    content = io.BytesIO()
    torch.save({FACTS_KEY: facts, MEMBERS_KEY: members}, content)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def is_ensemble(path: Path) -> bool:
    """Whether a checkpoint holds several networks.

    Raises:
        CheckpointError: it cannot be read.
    """
    facts = read_content(path)[FACTS_KEY]
    return isinstance(facts, dict) and ENSEMBLE_KEY in facts


def write_member(path: Path, number: int, target: Path) -> None:
    """Write one member of an ensemble as a checkpoint of its own.

    Args:
        path: of the ensemble.
        number: of the member, from 0.
        target: the file; its folder is made where missing.
    """
    members = read_content(path)[MEMBERS_KEY]
    assert isinstance(members, list)
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.save(members[number], target)


def read_ensemble(path: Path) -> tuple[Ensemble, tuple[CheckpointFacts, ...]]:
    """How the members of an ensemble answer together, and what is known of each, in the order of their names.

    Raises:
        CheckpointError: the file is missing, damaged, unsafe to load, or no ensemble.
    """
    content = read_content(path)
    facts = content[FACTS_KEY]
    try:
        if not isinstance(facts, dict) or facts.get("format") != FORMAT:
            raise ValueError("it has another format")
        ensemble = Ensemble.from_dict(facts[ENSEMBLE_KEY])
        members = content[MEMBERS_KEY]
        if not isinstance(members, list) or len(members) != len(ensemble.names):
            raise ValueError("it has another number of members than of names")
        found = tuple(facts_in(member, path) for member in members)
        for member in found:
            if member.task != ensemble.task_name or set(member.class_names) != set(ensemble.class_names):
                raise ValueError("a member has other classes or another task")
    except (ConfigurationError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path}: what it says of its members cannot be used ({type(error).__name__}: {error}): use the version of "
            "vidcls that wrote it, or make it again with vidcls ensemble"
        ) from error
    return ensemble, found

"""A checkpoint file -> its weights and the facts that it was trained with, checked and in plain types."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import UnionType
from typing import TypeVar, cast

from torch import Tensor

from vidcls.class_names import checked_class_names
from vidcls.errors import CheckpointError, ConfigurationError, EnsembleFileError, listed
from vidcls.tasks import task_class
from vidcls.tasks.decision import NO_DECISION, Decision
from vidcls.types import ClipSettings
from vidcls.weights_file import read_weights_file

FACTS_KEY = "vidcls"  # the one key of a checkpoint that is ours
ENSEMBLE_KEY, MEMBERS_KEY = "ensemble", "members"  # of several networks that answer together
Kind = TypeVar("Kind")


@dataclass(frozen=True)
class CheckpointFacts:
    """What a checkpoint says about itself.

    Args:
        path: the file.
        class_path: import path of the model's class.
        class_names: K names in the order of the logits.
        clip: the clip settings that it was trained with.
        task: what its labels mean, by name; version 0.1 wrote none, and meant the default.
        model_arguments: the arguments of the class besides those three, in plain types.
        input_settings: how a file becomes a clip; None where it was trained without a data module of vidcls.
        wandb_run_id: the run that it belongs to, where there is one.
        state_dict: the weights.
        global_step: optimiser steps taken.
        decision: what turns its scores into an answer; without effect where nothing was fitted for it.
        backbone_settings: what backbones need to be built again that no argument says, by the name of the backbone.
    """

    path: Path
    class_path: str
    class_names: tuple[str, ...]
    clip: ClipSettings
    task: str
    model_arguments: dict[str, object]
    input_settings: dict[str, object] | None
    wandb_run_id: str | None
    state_dict: dict[str, Tensor]
    global_step: int
    backbone_settings: dict[str, dict[str, object]] = field(default_factory=dict)
    decision: Decision = NO_DECISION


def read_checkpoint(path: str | Path) -> CheckpointFacts:
    """The content of a checkpoint of vidcls, loaded without running any code from it.

    Raises:
        CheckpointError: the file is missing, damaged, contains pickled code, was not written by vidcls, or contradicts
            itself.
        EnsembleFileError: it holds several networks; see :mod:`vidcls.models.ensemble_file`.
    """
    path = Path(path)
    content = read_content(path)
    facts = content[FACTS_KEY]
    if isinstance(facts, dict) and ENSEMBLE_KEY in facts:
        members = facts[ENSEMBLE_KEY].get("names") if isinstance(facts[ENSEMBLE_KEY], dict) else None
        names = listed([str(name) for name in members]) if isinstance(members, list) else "several networks"
        raise EnsembleFileError(
            f"{path}: is an ensemble ({names}), which vidcls predict, report, compare and export read, and a copy of "
            "this file is all that they need; for anything else pass the run of one of its members"
        )
    return facts_in(content, path)


def read_content(path: Path) -> dict[str, object]:
    """What a checkpoint holds, which was written by vidcls.

    Raises:
        CheckpointError: as of :func:`read_checkpoint`.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint")
    if not zipfile.is_zipfile(path):  # what torch.save writes; torch would complain in several lines of its own
        raise CheckpointError(f"{path}: is not a readable checkpoint (damaged, or a file of another kind)")
    content = read_weights_file(path)
    facts = content.get(FACTS_KEY) if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(facts, dict) or not {"class_path", ENSEMBLE_KEY} & facts.keys():
        raise CheckpointError(
            f"{path}: was not written by vidcls (it has no {FACTS_KEY!r} entry): train with vidcls fit"
        )
    return content


def facts_in(content: Mapping[str, object], path: Path) -> CheckpointFacts:
    """What the content of a checkpoint says of one network.

    Args:
        content: of a checkpoint, or of one member of an ensemble.
        path: the file.

    Raises:
        CheckpointError: it cannot be used, or contradicts itself.
    """
    try:
        facts = _plain_keys(content[FACTS_KEY])
        found = CheckpointFacts(
            path=path,
            class_path=_import_path(facts["class_path"]),
            class_names=checked_class_names(facts["class_names"]),
            clip=ClipSettings(**_counts(facts["clip"])),
            task=_task(facts.get("task")),
            model_arguments=_plain(content.get("hyper_parameters", {}), "hyper_parameters"),
            input_settings=_plain(facts["input"], "input") if facts.get("input") is not None else None,
            wandb_run_id=_of_kind(cast("str | None", facts.get("wandb_run_id")), str | None, "wandb_run_id"),
            state_dict=_tensors(content["state_dict"]),
            global_step=_of_kind(cast("int", content["global_step"]), int, "global_step"),
            backbone_settings=_settings_by_name(facts.get("backbones", {})),
            decision=Decision.from_dict(facts.get("decision")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path}: its {FACTS_KEY!r} entry cannot be used ({type(error).__name__}: {error}): "
            "use the version of vidcls that wrote it, or train again"
        ) from error
    _check_clip(found)
    return found


def _check_clip(facts: CheckpointFacts) -> None:
    """Refuse clip settings that are there twice, for the model and for its input, and contradict each other."""
    of_input = facts.input_settings or {}
    for name, value in asdict(facts.clip).items():
        if name in of_input and of_input[name] != value:
            raise CheckpointError(
                f"{facts.path}: contradicts itself: its model was built for {name} {value}, its input has {name} "
                f"{of_input[name]!r}; use the file as it was written, or train again with one clip for both"
            )


def _plain_keys(values: object) -> dict[str, object]:
    if not isinstance(values, dict):
        raise ValueError(f"{FACTS_KEY} is {type(values).__name__}")
    return values


def _of_kind(value: Kind, kind: type[Kind] | UnionType, name: str) -> Kind:
    if not isinstance(value, kind):
        raise ValueError(f"{name} is {type(value).__name__}")
    return value


def _plain(values: object, name: str) -> dict[str, object]:
    """A mapping by name to what YAML could hold as well, at any depth."""
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ValueError(f"{name} is not a mapping by name")
    waiting: list[object] = list(values.values())
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple):
            waiting += value
        elif not isinstance(value, str | int | float | None):
            raise ValueError(f"{name} holds {type(value).__name__}, expected plain values")
    return values


def _settings_by_name(values: object) -> dict[str, dict[str, object]]:
    by_name = _plain(values, "backbones")
    return {name: _plain(settings, f"backbones of {name}") for name, settings in by_name.items()}


def _import_path(value: object) -> str:
    if not isinstance(value, str) or not all(part.isidentifier() for part in value.split(".")):
        raise ValueError(f"class_path is {ascii(value)[:60]}, expected a dotted name")
    return value


def _task(value: object) -> str:
    if not isinstance(value, str | None):
        raise ValueError(f"task is {type(value).__name__}")
    try:
        return task_class(value).name
    except ConfigurationError as error:
        raise ValueError(str(error)) from error


def _counts(values: object) -> dict[str, int]:
    if not isinstance(values, dict) or not all(isinstance(value, int) for value in values.values()):
        raise ValueError("clip holds more than whole numbers by name")
    return values


def _tensors(state: object) -> dict[str, Tensor]:
    if not isinstance(state, dict) or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()):
        raise ValueError("state_dict holds more than tensors by name")
    return state

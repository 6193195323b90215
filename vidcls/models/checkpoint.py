"""A checkpoint file -> a classifier, and the facts that it was trained with."""

from __future__ import annotations

import importlib
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, nn

from vidcls.class_names import checked_class_names
from vidcls.errors import CheckpointError, ConfigurationError, unlike
from vidcls.training.finite import bad_weight
from vidcls.trusted_classes import check_checkpoint_names
from vidcls.trusted_settings import made_from
from vidcls.types import ClipSettings
from vidcls.weights_file import read_weights_file

if TYPE_CHECKING:
    from vidcls.models.classifier import VideoClassifier

FACTS_KEY = "vidcls"  # the one key of a checkpoint that is ours
Kind = TypeVar("Kind")


@dataclass(frozen=True)
class CheckpointFacts:
    """What a checkpoint says about itself.

    Args:
        path: the file.
        class_path: import path of the model's class.
        class_names: K names in the order of the logits.
        clip: the clip settings that it was trained with.
        model_arguments: the arguments of the class besides those two, in plain types.
        input_settings: how a file becomes a clip; None where it was trained without a data module of vidcls.
        wandb_run_id: the run that it belongs to, where there is one.
        state_dict: the weights.
        global_step: optimiser steps taken.
    """

    path: Path
    class_path: str
    class_names: tuple[str, ...]
    clip: ClipSettings
    model_arguments: dict[str, object]
    input_settings: dict[str, object] | None
    wandb_run_id: str | None
    state_dict: dict[str, Tensor]
    global_step: int


def read_checkpoint(path: str | Path) -> CheckpointFacts:
    """The content of a checkpoint of vidcls, loaded without running any code from it.

    Raises:
        CheckpointError: the file is missing, damaged, contains pickled code, or was not written by vidcls.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint")
    if not zipfile.is_zipfile(path):  # what torch.save writes; torch would complain in several lines of its own
        raise CheckpointError(f"{path}: is not a readable checkpoint (damaged, or a file of another kind)")
    content = read_weights_file(path)
    facts = content.get(FACTS_KEY) if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(facts, dict) or "class_path" not in facts:
        raise CheckpointError(
            f"{path}: was not written by vidcls (it has no {FACTS_KEY!r} entry): train with vidcls fit"
        )
    try:
        return CheckpointFacts(
            path=path,
            class_path=_import_path(facts["class_path"]),
            class_names=checked_class_names(facts["class_names"]),
            clip=ClipSettings(**_counts(facts["clip"])),
            model_arguments=_plain(content.get("hyper_parameters", {}), "hyper_parameters"),
            input_settings=_plain(facts["input"], "input") if facts.get("input") is not None else None,
            wandb_run_id=_of_kind(facts.get("wandb_run_id"), str | None, "wandb_run_id"),
            state_dict=_tensors(content["state_dict"]),
            global_step=_of_kind(content["global_step"], int, "global_step"),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path}: its {FACTS_KEY!r} entry cannot be used ({type(error).__name__}: {error}): "
            "use the version of vidcls that wrote it, or train again"
        ) from error


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


def _import_path(value: object) -> str:
    if not isinstance(value, str) or not all(part.isidentifier() for part in value.split(".")):
        raise ValueError(f"class_path is {ascii(value)[:60]}, expected a dotted name")
    return value


def _counts(values: object) -> dict[str, int]:
    if not isinstance(values, dict) or not all(isinstance(value, int) for value in values.values()):
        raise ValueError("clip holds more than whole numbers by name")
    return values


def _tensors(state: object) -> dict[str, Tensor]:
    if not isinstance(state, dict) or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()):
        raise ValueError("state_dict holds more than tensors by name")
    return state


def load_classifier(path: str | Path) -> VideoClassifier:
    """The trained model in a checkpoint, on the CPU and in evaluation mode.

    Raises:
        CheckpointError: see :func:`read_checkpoint`; also where its class cannot be imported or built, or is of another
            package than vidcls that this program has not imported itself.
    """
    return build_classifier(read_checkpoint(path))


def build_classifier(facts: CheckpointFacts) -> VideoClassifier:
    """The trained model that ``facts`` describe, on the CPU and in evaluation mode."""
    model_class = import_model_class(facts)
    arguments = {k: v for k, v in facts.model_arguments.items() if k not in model_class.initial_weights}
    if model_class.__module__.startswith("vidcls."):
        _check_sizes(model_class, facts, arguments)
    model = _instantiate(model_class, facts, arguments)
    try:
        model.load_state_dict(facts.state_dict)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise CheckpointError(f"{facts.path}: its weights do not fit {facts.class_path} ({reason})") from error
    weight = bad_weight(model)
    if weight is not None:
        raise CheckpointError(
            f"{facts.path}: its weight {weight} holds NaN or infinity, as after a training that diverged: use an "
            "earlier checkpoint, or train again with a smaller learning rate"
        )
    model.input_settings = facts.input_settings
    return model.eval()


def import_model_class(facts: CheckpointFacts) -> type[VideoClassifier]:
    """The class that a checkpoint names; errors where it is not to be trusted, is not there or is no classifier."""
    from vidcls.models.classifier import VideoClassifier

    check_checkpoint_names(facts.path, facts.class_path, facts.model_arguments)
    try:
        model_class = import_class(facts.class_path)
    except (ImportError, AttributeError, ValueError) as error:
        raise CheckpointError(
            f"{facts.path}: its model {facts.class_path} cannot be imported ({error}): "
            "run where that module lies, or add its folder to PYTHONPATH"
        ) from error
    if not issubclass(model_class, VideoClassifier):
        raise CheckpointError(f"{facts.path}: {facts.class_path} is not a VideoClassifier")
    return model_class


def import_class(class_path: str) -> type:
    """The class at an import path; ImportError, AttributeError or ValueError where there is none."""
    module_name, _, class_name = class_path.rpartition(".")
    found = getattr(importlib.import_module(module_name), class_name)
    if not isinstance(found, type):
        raise ValueError(f"{class_path} is not a class")
    return found


def _check_sizes(model_class: type[VideoClassifier], facts: CheckpointFacts, arguments: dict[str, object]) -> None:
    """Refuse arguments that mean larger layers than the weights have, before memory is taken for them."""
    with torch.device("meta"):
        sketch = _instantiate(model_class, facts, arguments)
    reason = _misfit(facts.state_dict, sketch.state_dict())
    if reason is not None:
        raise CheckpointError(f"{facts.path}: its weights do not fit {facts.class_path} ({reason})")


def _misfit(given: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> str | None:
    """The first tensor that is missing, unknown or of another size; None where all fit."""
    for name in (*own, *given):
        if name not in given or name not in own:
            return f"{name} is {'missing' if name in own else 'unknown'}"
        if given[name].shape != own[name].shape:
            return f"{name} has the size {tuple(given[name].shape)}, expected {tuple(own[name].shape)}"
    return None


def _instantiate(
    model_class: type[VideoClassifier], facts: CheckpointFacts, arguments: dict[str, object]
) -> VideoClassifier:
    from jsonargparse import ArgumentError

    try:
        return instantiate_model(model_class, facts.class_names, facts.clip, arguments)
    except ConfigurationError as error:
        raise CheckpointError(f"{facts.path}: {facts.class_path} is not built from its arguments: {error}") from error
    except (ArgumentError, TypeError, ValueError, KeyError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise CheckpointError(
            f"{facts.path}: {facts.class_path} cannot be built from its arguments ({reason})"
        ) from error


def instantiate_model(
    model_class: type[VideoClassifier],
    class_names: Sequence[str],
    clip: ClipSettings,
    arguments: Mapping[str, object],
) -> VideoClassifier:
    """Build a model from plain types: the parser of the command line turns them into what the class takes."""
    from jsonargparse import ArgumentParser

    from vidcls.models.classifier import LINKED_ARGUMENTS

    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(model_class, "model", skip=set(LINKED_ARGUMENTS), instantiate=False)
    parsed = made_from(parser, parser.parse_object({"model": dict(arguments)}))
    return model_class(class_names=list(class_names), clip=clip, **vars(parsed.model))


def load_part(path: str | Path, part: str, net: nn.Module, head: nn.Module, class_names: tuple[str, ...]) -> None:
    """Load the net and the head of one part of a two-stream checkpoint, or of a single-frame network, in place.

    Raises:
        CheckpointError: the checkpoint has no such part, other classes, or another backbone.
    """
    facts = read_checkpoint(path)
    if facts.class_names != class_names:
        known, found = unlike(facts.class_names, class_names)
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

"""What a checkpoint says, or a class and its arguments -> a classifier."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from vidcls.class_arguments import arguments_of
from vidcls.errors import CheckpointError, ConfigurationError
from vidcls.hub_models import settings_that_travel
from vidcls.models.checkpoint import CheckpointFacts, read_checkpoint
from vidcls.models.classifier import LINKED_ARGUMENTS, VideoClassifier
from vidcls.runs.trained_model import checkpoint_of
from vidcls.tasks import DEFAULT_TASK
from vidcls.training.finite import bad_weight
from vidcls.trusted_classes import check_checkpoint_names
from vidcls.trusted_settings import made_from
from vidcls.types import ClipSettings


def load_classifier(path: str | Path) -> VideoClassifier:
    """The trained model in a checkpoint, on the CPU and in evaluation mode.

    Args:
        path: a checkpoint file, the folder of a run, ``runs/NAME``, ``best`` or ``last``; see
            :mod:`vidcls.runs.trained_model`.

    Raises:
        CheckpointError: see :func:`read_checkpoint`; also where its class cannot be imported or built, or is of another
            package than vidcls that this program has not imported itself.
    """
    return build_classifier(read_checkpoint(checkpoint_of(path)))


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
    model.decision = facts.decision
    return model.eval()


def import_model_class(facts: CheckpointFacts) -> type[VideoClassifier]:
    """The class that a checkpoint names; errors where it is not to be trusted, is not there or is no classifier."""
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
        with settings_that_travel(facts.backbone_settings):
            return instantiate_model(model_class, facts.class_names, facts.clip, arguments, task=facts.task)
    except (CheckpointError, ConfigurationError) as error:
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
    *,
    task: str = DEFAULT_TASK,
) -> VideoClassifier:
    """Build a model from plain types: the parser of the command line turns them into what the class takes.

    Raises:
        ConfigurationError: the class knows another task alone.
    """
    from jsonargparse import ArgumentParser

    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(model_class, "model", skip=set(LINKED_ARGUMENTS), instantiate=False)
    parsed = made_from(parser, parser.parse_object({"model": dict(arguments)}))
    given = vars(parsed.model)
    if task != DEFAULT_TASK or "task" in arguments_of(model_class):
        given["task"] = task  # a class of the user's own may know the default alone
    model = model_class(class_names=list(class_names), clip=clip, **given)
    if model.task.name != task:
        raise ConfigurationError(
            f"{model_class.__name__} takes no task, so that it has {model.task.name} and not {task}: let its __init__ "
            "take task and pass it to VideoClassifier"
        )
    return model

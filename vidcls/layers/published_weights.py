"""A file of weights that others have published, in their names -> a whole model of ours."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vidcls.errors import CheckpointError
from vidcls.layers.backbones.base import Backbone
from vidcls.layers.weight_init import (
    BACKBONE_PREFIX,
    COUNTER,
    check_is_file,
    is_checkpoint,
    is_file_name,
    load_backbone,
    read_state,
    shown,
)

HEAD_PREFIX = "head."
OWN_STARTS = (BACKBONE_PREFIX, "stages.", "read_out.")
Triple = tuple[float, float, float]

_log = logging.getLogger(__name__)


def _as_it_is(_name: str, value: Tensor) -> Tensor:
    return value


@dataclass(frozen=True)
class PublishedFormat:
    """Weights of a model in the names of another project.

    Args:
        title: of the project.
        mark: a name that each of its files has, and no other.
        name_of: our name of a tensor -> its name in the file.
        rgb_mean: that the weights were trained with, on the scale 0 to 1.
        rgb_std: the same.
        hint: what such a file often differs in, and the argument that sets it; empty for nothing.
        to_ours: our name and the tensor of the file -> the tensor as we hold it.
    """

    title: str
    mark: str
    name_of: Callable[[str], str]
    rgb_mean: Triple
    rgb_std: Triple
    hint: str = ""
    to_ours: Callable[[str, Tensor], Tensor] = _as_it_is


def published_state(weights: str | None, formats: Sequence[PublishedFormat]) -> dict[str, Tensor] | None:
    """The tensors of a file in one of these formats; None where ``weights`` is anything else.

    Raises:
        CheckpointError: the file cannot be read.
    """
    if weights is None or is_checkpoint(weights) or not is_file_name(weights):
        return None
    state = read_state(weights)
    return state if _format_of(state, formats) else None


def load_weights(
    network: nn.Module, backbone: Backbone, weights: str | None, formats: Sequence[PublishedFormat]
) -> PublishedFormat | None:
    """Load a file of weights into a model, in place; returns the format where it is one that others have published.

    A checkpoint of vidcls, or a state dictionary of a backbone of ours, gives its backbone.

    Args:
        network: the model, with ``backbone`` and ``head``.
        backbone: of the model.
        weights: path of the file; None for none.
        formats: that the model knows.

    Raises:
        ValueError: ``weights`` is not the name of a file.
        CheckpointError: the file cannot be read, or its weights are of another network.
    """
    if weights is None:
        return None
    kind = type(network).__name__
    check_is_file(kind, weights)
    if is_checkpoint(weights):
        load_backbone(backbone, weights)
        return None
    state = read_state(weights)
    if _format_of(state, formats):
        return load_published(network, state, weights, formats)
    if any(name.startswith(OWN_STARTS) for name in state):
        load_backbone(backbone, weights)
    else:
        known = " or ".join(f"{each.mark} ({each.title})" for each in formats)
        raise CheckpointError(f"{weights}: holds no weights of {kind} that are known, which have a tensor {known}")
    return None


def load_published(
    network: nn.Module, state: Mapping[str, Tensor], path: str, formats: Sequence[PublishedFormat]
) -> PublishedFormat:
    """Load tensors in the names of one of these formats into a model, in place, but for a classifier of other classes.

    Args:
        network: the model, with ``backbone`` and ``head``.
        state: tensors in the names of the file.
        path: of the file, for messages.
        formats: of which the file has one.

    Raises:
        CheckpointError: a tensor is missing, of another size, or unknown.
    """
    found = _format_of(state, formats)
    assert found is not None
    own = {n: v for n, v in network.state_dict().items() if n.startswith((BACKBONE_PREFIX, HEAD_PREFIX))}
    theirs = {name: found.name_of(name) for name in own}
    missing = [theirs[name] for name in own if theirs[name] not in state and not name.endswith(COUNTER)]
    known = {*theirs.values()}
    surplus = [name for name in state if name not in known and not name.endswith(COUNTER)]
    if missing or surplus:
        wrong = f"{shown(missing)} missing" if missing else f"{shown(surplus)} unknown"
        raise _misfit(network, path, found, wrong)
    values = {name: found.to_ours(name, state[theirs[name]]) for name in own if theirs[name] in state}
    others = [name for name, value in values.items() if value.shape != own[name].shape]
    backbone_others = [name for name in others if not name.startswith(HEAD_PREFIX)]
    if backbone_others:
        name = backbone_others[0]
        more = f", and {len(backbone_others) - 1} more" if len(backbone_others) > 1 else ""
        sizes = f"{tuple(state[theirs[name]].shape)}, expected {tuple(own[name].shape)}"
        raise _misfit(network, path, found, f"{theirs[name]} has the size {sizes}{more}")
    with torch.no_grad():
        for name, value in values.items():
            if name not in others:
                own[name].copy_(value)
    classes = next(len(value) for name, value in values.items() if name.startswith(HEAD_PREFIX))
    classifier = (
        f"but for the classifier of its {classes} classes"
        if others
        else f"with the classifier of its {classes} classes, which are taken to be those of the data in their order"
    )
    _log.info("weights: %s of %s loaded, %s", path, found.title, classifier)
    return found


def _format_of(state: Mapping[str, Tensor], formats: Sequence[PublishedFormat]) -> PublishedFormat | None:
    return next((each for each in formats if each.mark in state), None)


def _misfit(network: nn.Module, path: str, found: PublishedFormat, wrong: str) -> CheckpointError:
    hint = f"; {found.hint}" if found.hint else ""
    return CheckpointError(
        f"{path}: the weights of {found.title} do not fit this {type(network).__name__} ({wrong}){hint}"
    )

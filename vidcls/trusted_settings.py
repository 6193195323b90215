"""Parsed settings -> the objects that they describe, unless something in them is neither plain nor of a known kind.

Where a constructor takes a function, a file could have anything called: ``torch.utils.collect_env.run`` starts
programs. So the rule lists what is allowed and refuses everything else: plain values, and classes of known kinds from
the modules that define them. The check runs after parsing, which imports but makes nothing.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from datetime import date, timedelta
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING

import torch

from vidcls.class_arguments import arguments_of
from vidcls.errors import ConfigurationError
from vidcls.remote.permission import check_allowed
from vidcls.trusted_classes import HOMES, NEVER_ALLOWED, OPTION, PACKAGES, is_allowed, is_trusted, refusal

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

# By name, so that nothing is imported to compare with. Lightning has two names for the same classes.
KINDS = frozenset(
    {
        "lightning.fabric.accelerators.accelerator.Accelerator",
        "lightning.fabric.loggers.logger.Logger",
        "lightning.fabric.plugins.environments.cluster_environment.ClusterEnvironment",
        "lightning.fabric.plugins.io.checkpoint_io.CheckpointIO",
        "lightning.fabric.plugins.precision.precision.Precision",
        "lightning.pytorch.callbacks.callback.Callback",
        "lightning.pytorch.core.datamodule.LightningDataModule",
        "lightning.pytorch.plugins.layer_sync.LayerSync",
        "lightning.pytorch.profilers.profiler.Profiler",
        "lightning.pytorch.strategies.strategy.Strategy",
        "torch.nn.modules.module.Module",  # and with it models, transforms and metrics
        "torch.optim.lr_scheduler.LRScheduler",
        "torch.optim.optimizer.Optimizer",
        "vidcls.datasets.base.VideoDataset",
    }
)
_PLAIN = (type(None), bool, int, float, complex, str, bytes, date, timedelta, Enum, os.PathLike, torch.dtype)
# Of settings whose protocol was allowed: where videos and their data are, and where a run is copied to.
MAY_BE_ADDRESSES = ("data.", "dataset.", "copy_run", "features")
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://|\w+::)")


def made_from(parser: ArgumentParser, parsed: Namespace) -> Namespace:
    """What the parser makes of settings that it has parsed; nothing is made where one of them is refused.

    Raises:
        ConfigurationError: see :func:`check_settings`.
    """
    check_settings(parsed)
    return parser.instantiate_classes(parsed)


def check_settings(parsed: object) -> None:
    """Refuse settings that hold anything but plain values and classes of known kinds.

    Args:
        parsed: as a parser of jsonargparse gives them; functions and classes are objects in it.

    Raises:
        ConfigurationError: with the key and what is allowed there.
    """
    _check(parsed, "", by_user=False)


def _check(value: object, key: str, *, by_user: bool) -> None:
    """``by_user``: whether the value is an argument of a class that the user has allowed."""
    from jsonargparse import Namespace

    if isinstance(value, Namespace | Mapping):
        given = vars(value) if isinstance(value, Namespace) else value
        if isinstance(class_path := given.get("class_path"), str):
            found = _found(class_path, key)
            by_user = _check_class(found, class_path, key)
            given = _without_defaults(given, found)
        for name, item in given.items():
            inner = key if name in ("init_args", "dict_kwargs") else f"{key}.{name}".strip(".")
            _check(item, inner, by_user=by_user)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            _check(item, key, by_user=by_user)
    elif isinstance(value, str):
        if not by_user and _ADDRESS.match(value):
            if not key.startswith(MAY_BE_ADDRESSES):
                raise ConfigurationError(f"{key}: {value!r} is an address, which no setting fetches: pass a local path")
            try:
                check_allowed(value)
            except ConfigurationError as error:
                raise ConfigurationError(f"{key}: {error}") from error
    elif isinstance(value, type):
        _check_class(value, _home(value), key)
    elif not isinstance(value, _PLAIN) and not hasattr(value, "__fspath__"):
        _check_other(value, key, by_user=by_user)


def _without_defaults(given: Mapping[str, object], found: object) -> dict[str, object]:
    """The settings of a class but for arguments whose value is its own default, such as ``torch.device("cpu")``.

    The class is trusted, and would take the same value where nothing is said.
    """
    arguments = given.get("init_args")
    names = vars(arguments) if arguments is not None and hasattr(arguments, "__dict__") else arguments
    if not isinstance(names, Mapping) or not isinstance(found, type):
        return dict(given)
    try:
        defaults = {name: item.default for name, item in arguments_of(found).items()}
    except ValueError:  # a class in C that does not tell
        return dict(given)
    named = {
        name: item for name, item in names.items() if not _is_default(item, defaults.get(name, inspect.Parameter.empty))
    }
    return {**given, "init_args": named}


def _is_default(value: object, default: object) -> bool:
    return value is default or (
        isinstance(value, torch.device) and isinstance(default, torch.device) and value == default
    )


def _check_class(found: object, path: str, key: str) -> bool:
    """Refuse what is no class of a known kind; returns whether the user has allowed it."""
    home = _home(found)
    if is_allowed(path) or is_allowed(home):
        return True
    package = home.partition(".")[0]
    if not isinstance(found, type):
        raise ConfigurationError(f"{key}: {path} is not a class: expected a class, not a function or a value")
    is_theirs = (
        package not in PACKAGES and package not in NEVER_ALLOWED
    )  # imported by the program: the parser saw to it
    if not (is_theirs or is_trusted(home)):
        raise ConfigurationError(f"{key}: {refusal(home)}")
    if not KINDS.intersection(_names_of_bases(found)) and not (is_dataclass(found) and not is_theirs):
        raise ConfigurationError(
            f"{key}: {path} is of no kind that a configuration may name: expected a model, module, data set, "
            "optimizer, scheduler, callback, logger, metric, transform, strategy, plugin or profiler"
        )
    return False


def _check_other(value: object, key: str, *, by_user: bool) -> None:
    """Refuse functions and all other objects, but for those that the user has allowed."""
    for part in _parts(value):
        home = _home(part)
        if is_allowed(home) or (by_user and home.startswith(tuple(f"{name}." for name in HOMES))):
            continue
        what = "a function" if callable(value) else "no plain value"
        raise ConfigurationError(
            f"{key}: {home} is {what}, and a configuration names classes only; for one of your own package, add "
            f"{OPTION} PACKAGE"
        )


def _parts(value: object) -> Iterator[object]:
    while isinstance(value, partial):
        value = value.func
    yield value if inspect.isroutine(value) else type(value)


def _found(class_path: str, key: str) -> object:
    """What an import path leads to, as the parser sees it."""
    module, _, name = class_path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        outer, _, inner = module.rpartition(".")
        try:
            return getattr(getattr(importlib.import_module(outer), inner), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise ConfigurationError(f"{key}: there is no class {class_path!r}") from error


def _home(found: object) -> str:
    """Where a class or function is defined, whatever name led to it."""
    owner = found if isinstance(found, type) or inspect.isroutine(found) else type(found)
    return f"{getattr(owner, '__module__', None)}.{getattr(owner, '__qualname__', type(found).__name__)}"


def _names_of_bases(found: type) -> Iterator[str]:
    for base in found.__mro__:
        module = base.__module__.replace("pytorch_lightning", "lightning.pytorch")
        yield f"{module.replace('lightning_fabric', 'lightning.fabric')}.{base.__qualname__}"

"""An import path that stands in a configuration or a checkpoint -> whether it may be imported.

Both are passed from hand to hand, and to import a class is to run its module. So a file may name classes of vidcls, of
the modules of its libraries that define callbacks, layers, optimizers and the like, and of the packages that the user
has allowed; nothing else is imported. :mod:`vidcls.trusted_settings` says what such a name must lead to.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import vidcls
from vidcls.errors import CheckpointError, ConfigurationError

PACKAGES = ("lightning", "pytorch_lightning", "torch", "torchmetrics", "torchvision", "vidcls")
_OF_LIGHTNING = (
    "accelerators",
    "callbacks",
    "loggers.CSVLogger",
    "loggers.csv_logs",
    "loggers.TensorBoardLogger",
    "loggers.tensorboard",
    "plugins",
    "profilers",
    "strategies",
)
# Modules that define what a training is put together from. A name is added here, none is taken out elsewhere.
HOMES = (
    *(f"{package}.{part}" for package in ("lightning.pytorch", "pytorch_lightning") for part in _OF_LIGHTNING),
    *(
        f"{package}.{part}"
        for package in ("lightning.fabric", "lightning_fabric")
        for part in ("accelerators", "plugins")
    ),
    *(f"torch.{name}" for name in ("bfloat16", "dtype", "float16", "float32", "float64")),
    "torch.distributed.fsdp.api",
    "torch.nn",
    "torch.optim",
    *(f"torchmetrics.{part}" for part in ("aggregation", "classification", "clustering", "collections", "regression")),
    "torchvision.models",
    "torchvision.ops",
    "torchvision.transforms",
    *(
        f"vidcls.{part}"
        for part in ("callbacks", "clips", "datasets", "flow", "layers", "loading", "models", "training")
    ),
    "vidcls.probe",
    "vidcls.transforms",
    "vidcls.types",
)
# Where names of those modules are found as well.
DOORS = ("torch.distributed.fsdp", "torchmetrics", *(f"vidcls.{name}" for name in vidcls.__all__))
# Loggers that a file could make send to any address.
LOGGERS = ("lightning.pytorch.loggers", "pytorch_lightning.loggers")
# Python itself and the parser: whole packages of what runs, reads and deletes.
NEVER_ALLOWED = frozenset({*sys.stdlib_module_names, "jsonargparse"})
OPTION = "--allow-class"
_DENIED = re.compile(r"Importing '([^']+)' is not allowed")  # as jsonargparse says it
_allowed: list[str] = []  # of the whole process, as what Python has imported is


def allow_classes(prefixes: Iterable[str]) -> None:
    """Let configurations and checkpoints name classes below these packages, in place of those allowed before.

    Raises:
        ConfigurationError: a prefix is not a dotted name.
    """
    wanted = list(dict.fromkeys(prefixes))
    for prefix in wanted:
        if not all(part.isidentifier() for part in prefix.split(".")):
            raise ConfigurationError(f"{OPTION} {prefix!r}: expected a package, module or class, such as mypackage")
        if prefix.partition(".")[0] in NEVER_ALLOWED:
            raise ConfigurationError(f"{OPTION} {prefix}: is part of Python or of the parser, and no class of yours")
    _allowed[:] = wanted


def look_in_current_folder() -> None:
    """Let the modules of the current folder be imported, after all others, where something is allowed."""
    folder = str(Path.cwd())
    if _allowed and folder not in sys.path:
        sys.path.append(folder)


def allowed_classes() -> list[str]:
    """The prefixes that are allowed besides the trusted libraries."""
    return list(_allowed)


def is_allowed(path: str) -> bool:
    """Whether the user has allowed this class or function, or a package that it lies in."""
    return _is_below(path, _allowed)


def is_trusted(class_path: str) -> bool:
    """Whether a file may name this class, as far as its name tells; prefixes count in whole words.

    >>> is_trusted("torch.optim.SGD"), is_trusted("torchevil.optim.SGD"), is_trusted("torch.hub.load")
    (True, False, False)
    """
    return _is_below(class_path, (*HOMES, *_allowed))


def refusal(class_path: str) -> str:
    """Why a file may not name a class, and what to do where it should."""
    package = class_path.partition(".")[0]
    if _is_below(class_path, LOGGERS):
        return (
            f"{class_path} would send to whatever server the configuration names; where you trust it, add {OPTION} "
            f"{class_path.rpartition('.loggers')[0]}.loggers"
        )
    if package in PACKAGES or package in NEVER_ALLOWED:
        return (
            f"{class_path} is nothing that a configuration or a checkpoint may name: expected a class of vidcls, "
            "torch.nn, torch.optim, torchvision.transforms, torchmetrics, or a callback, logger, strategy, plugin or "
            "profiler of lightning.pytorch"
        )
    return (
        f"{class_path} belongs to none of {', '.join(PACKAGES)}: a file that names it would run its code; where you "
        f"trust it, add {OPTION} {package}"
    )


def refusal_in(error: BaseException) -> str | None:
    """The same where a parser refused a class; None where something else is wrong."""
    denied = _DENIED.search(str(error))
    return refusal(denied[1]) if denied else None


def check_checkpoint_names(source: object, class_path: str, arguments: Mapping[str, object]) -> None:
    """Refuse a checkpoint that names a class which is neither trusted nor imported by the program already.

    Args:
        source: the file, for the message.
        class_path: of its model.
        arguments: of its model; classes may be named within.

    Raises:
        CheckpointError: with what to add.
    """
    for named in (class_path, *_class_paths(arguments)):
        if not is_trusted(named) and not _is_of_the_program(named):
            raise CheckpointError(f"{source}: its model names a class that is not imported: {refusal(named)}")


def check_may_import(class_path: str) -> None:
    """Refuse to import a class that is neither trusted, nor allowed, nor imported by the program already.

    Raises:
        ConfigurationError: with what to add.
    """
    if not is_trusted(class_path) and not _is_of_the_program(class_path):
        raise ConfigurationError(refusal(class_path))


def _is_of_the_program(class_path: str) -> bool:
    """Whether the program has imported the module, which is neither Python's own nor one of the libraries here."""
    package = class_path.partition(".")[0]
    return package not in (*PACKAGES, *NEVER_ALLOWED) and class_path.rpartition(".")[0] in sys.modules


def _is_below(path: str, prefixes: Iterable[str]) -> bool:
    return any(path == prefix or path.startswith(f"{prefix}.") for prefix in prefixes)


def _class_paths(value: object) -> Iterator[str]:
    """Every ``class_path`` at any depth."""
    if isinstance(value, Mapping):
        if isinstance(value.get("class_path"), str):
            yield value["class_path"]
        for item in value.values():
            yield from _class_paths(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _class_paths(item)

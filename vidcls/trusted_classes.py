"""An import path that stands in a configuration or a checkpoint -> whether it may be imported.

Both are passed from hand to hand, and to import a class is to run its module. So a file may name classes of the
libraries that vidcls stands on, and of the packages that the user has allowed; nothing else of it is imported.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping

from vidcls.errors import CheckpointError, ConfigurationError

TRUSTED = ("lightning", "pytorch_lightning", "torch", "torchmetrics", "torchvision", "vidcls", "wandb")
# What loads, compiles or starts something within those; no setting of a training is found there.
REFUSED = (
    "lightning.pytorch.cli",
    "torch.classes",
    "torch.distributed.elastic",
    "torch.distributed.launcher",
    "torch.distributed.run",
    "torch.fx",
    "torch.hub",
    "torch.jit",
    "torch.load",
    "torch.multiprocessing",
    "torch.ops",
    "torch.package",
    "torch.serialization",
    "torch.utils.cpp_extension",
    "vidcls.cli",
    "vidcls.compare",
    "vidcls.demo",
)
# Python itself and the parser: whole packages of what runs, reads and deletes.
NEVER_ALLOWED = frozenset({*sys.stdlib_module_names, "jsonargparse"})
OPTION = "--allow-class"
_DENIED = re.compile(r"Importing '([^']+)' is not allowed")  # as jsonargparse says it
_allowed: list[str] = []  # of the whole process, as what Python has imported is


def allow_classes(prefixes: Iterable[str]) -> None:
    """Let configurations and checkpoints name classes below these packages, in place of those allowed before.

    Raises:
        ConfigurationError: a prefix is no dotted name.
    """
    wanted = list(dict.fromkeys(prefixes))
    for prefix in wanted:
        if not all(part.isidentifier() for part in prefix.split(".")):
            raise ConfigurationError(f"{OPTION} {prefix!r}: expected a package, module or class, such as mypackage")
        if prefix.partition(".")[0] in NEVER_ALLOWED:
            raise ConfigurationError(f"{OPTION} {prefix}: is part of Python or of the parser, and no class of yours")
    _allowed[:] = wanted


def allowed_classes() -> list[str]:
    """The prefixes that are allowed besides the trusted libraries."""
    return list(_allowed)


def is_trusted(class_path: str) -> bool:
    """Whether a file may name this class: the longest of the known prefixes decides, in whole words.

    >>> is_trusted("torch.optim.SGD"), is_trusted("torchevil.SGD"), is_trusted("torch.hub.load")
    (True, False, False)
    """
    parts = class_path.split(".")
    for length in range(len(parts), 0, -1):
        prefix = ".".join(parts[:length])
        if prefix in _allowed or prefix in TRUSTED:
            return True
        if prefix in REFUSED:
            return False
    return False


def refusal(class_path: str) -> str:
    """Why a file may not name a class, and what to do where it should."""
    package = class_path.partition(".")[0]
    if package in TRUSTED or package in NEVER_ALLOWED:
        return f"{class_path} is nothing that a configuration or a checkpoint may name"
    return (
        f"{class_path} belongs to none of {', '.join(TRUSTED)}: a file that names it would run its code; where you "
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
        if not is_trusted(named) and named.rpartition(".")[0] not in sys.modules:
            raise CheckpointError(f"{source}: its model names a class that is not imported: {refusal(named)}")


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

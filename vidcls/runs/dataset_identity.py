"""A data set in a configuration -> what it is called, and whether another is the same one."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from vidcls.remote import is_address

PLACES = ("root", "path", "annotations")  # arguments of a data set that say where it lies


@dataclass(frozen=True)
class NamedDataset:
    """A data set of a configuration.

    Args:
        text: its class and its places, such as ``VideoFolder /data/ucf``.
        arguments: of its class.
    """

    text: str
    arguments: Mapping[str, object]

    @property
    def identity(self) -> tuple[str, ...]:
        """What tells it from others: its class and its places, links resolved."""
        places = [_place(str(self.arguments[name]), os.path.realpath) for name in PLACES if self.arguments.get(name)]
        return (self.text.partition(" ")[0], *places)


def named_dataset(dataset: object) -> NamedDataset | None:
    """The ``dataset`` of a data section, in plain types; None where it is no class with arguments."""
    if not isinstance(dataset, Mapping) or not isinstance(dataset.get("class_path"), str):
        return None
    arguments = dataset.get("init_args") or {}
    places = [_place(str(arguments[name]), os.path.abspath) for name in PLACES if arguments.get(name)]
    return NamedDataset(" ".join([dataset["class_path"].rpartition(".")[2], *places]), arguments)


def _place(text: str, absolute: Callable[[str], str]) -> str:
    return text.rstrip("/") if is_address(text) else absolute(text)


def is_same_dataset(first: object, second: object) -> bool:
    """Whether two data sets of configurations are of one class and lie in the same place, by whatever path."""
    one, other = named_dataset(first), named_dataset(second)
    return one is not None and other is not None and one.identity == other.identity

"""A YAML file -> the options that a sweep tries values of, each with its range or its choices.

::

    model.optimization.lr: {low: 0.0001, high: 0.1, log: true}
    model.dropout: {low: 0.0, high: 0.8}
    data.batch_size: {low: 4, high: 32, step: 4}
    model.backbone: [small, resnet18]
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidcls.errors import ConfigurationError
from vidcls.settings_file import read_settings

Value = str | int | float | bool | None
SECTIONS = ("model", "data", "trainer")
KEYS = ("low", "high", "log", "step")
EXAMPLE = "model.optimization.lr: {low: 0.0001, high: 0.1, log: true}, or a list of choices"


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both among them.

    Args:
        low: the least.
        high: the greatest.
        log: whether factors count and not differences.
        step: between two values; None takes any number, or any integer.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None

    @property
    def is_integer(self) -> bool:
        """Whether its values are integers, as where its limits are written as such."""
        return isinstance(self.low, int) and isinstance(self.high, int) and isinstance(self.step, int | None)


@dataclass(frozen=True)
class Choice:
    """One of several values; what YAML has for a list or a mapping is JSON here.

    Args:
        values: two or more.
    """

    values: tuple[Value, ...]


Space = Mapping[str, Range | Choice]
"""By option, without the dashes: ``model.optimization.lr``."""


def read_space(path: Path) -> dict[str, Range | Choice]:
    """The space in a file.

    Raises:
        ConfigurationError: it cannot be read, or an entry is none; names it.
    """
    found = {str(name).removeprefix("--"): entry for name, entry in read_settings(path).items()}
    if not found:
        raise ConfigurationError(f"{path}: has no option to try values of; expected lines such as {EXAMPLE}")
    return {name: _dimension(name, entry, path) for name, entry in found.items()}


def default_space(lr: float, *, has_dropout: bool) -> dict[str, Range | Choice]:
    """What is worth trying of any network that is trained by gradients.

    Args:
        lr: learning rate of the configuration: a factor of 10 to either side is tried.
        has_dropout: whether the model takes it.
    """
    space: dict[str, Range | Choice] = {
        "model.optimization.lr": Range(lr / 10, lr * 10, log=True),
        "model.optimization.weight_decay": Range(1e-6, 1e-1, log=True),
    }
    if has_dropout:
        space["model.dropout"] = Range(0.0, 0.8)
    return space


def options_of(values: Mapping[str, Value]) -> list[str]:
    """Values by option -> words of ``vidcls fit``."""
    return [f"--{name}={_word(value)}" for name, value in values.items()]


def corners(space: Space) -> list[dict[str, Value]]:
    """A few points that have every limit and every choice among them, to look whether all of them are allowed."""
    ends: dict[str, Sequence[Value]] = {
        name: entry.values if isinstance(entry, Choice) else (entry.low, entry.high) for name, entry in space.items()
    }
    most = max(map(len, ends.values()))
    return [{name: values[min(k, len(values) - 1)] for name, values in ends.items()} for k in range(most)]


def plain_space(space: Space) -> dict[str, object]:
    """The same as a file has it, for the record."""
    return {
        name: list(entry.values)
        if isinstance(entry, Choice)
        else {"low": entry.low, "high": entry.high, "log": entry.log, "step": entry.step}
        for name, entry in space.items()
    }


def _word(value: Value) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _dimension(name: str, entry: object, path: Path) -> Range | Choice:
    where = f"{path}: {name}"
    if name.partition(".")[0] not in SECTIONS or "." not in name:
        raise ConfigurationError(
            f"{where}: is no option of a section: expected model..., data... or trainer..., as in {EXAMPLE}"
        )
    if isinstance(entry, list):
        values = tuple(value if isinstance(value, Value) else json.dumps(value) for value in entry)
        if len(set(map(repr, values))) < max(2, len(values)):
            raise ConfigurationError(f"{where}: expected two or more different choices, got {entry}")
        return Choice(values)
    if not isinstance(entry, Mapping):
        raise ConfigurationError(f"{where}: is {entry!r}; expected low and high, or a list of choices, as in {EXAMPLE}")
    unknown = [key for key in entry if key not in KEYS]
    if unknown or not {"low", "high"} <= entry.keys():
        raise ConfigurationError(
            f"{where}: has {', '.join(map(str, entry)) or 'nothing'}; expected low and high, and log or step if wanted"
        )
    low, high, log, step = (entry.get(key) for key in KEYS)
    numbers = [number for number in (low, high, step) if number is not None]
    if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in numbers):
        raise ConfigurationError(f"{where}: low, high and step must be numbers (1e-4 is written 1.0e-4 in YAML)")
    assert isinstance(low, int | float)
    assert isinstance(high, int | float)
    if not low < high or (log and (low <= 0 or step is not None)) or (step is not None and not 0 < step <= high - low):
        raise ConfigurationError(
            f"{where}: low {low}, high {high}, log {bool(log)} and step {step} give no range: low must be below high, "
            "above 0 with log, and log and step exclude each other"
        )
    return Range(low, high, log=bool(log), step=step)

"""Two resolved configurations -> where they differ first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from vidcls.models.classifier import LINKED_ARGUMENTS

LINKED = ("data.streams", *(f"model.init_args.{name}" for name in LINKED_ARGUMENTS))
"""What model and data tell each other."""
PLACES = ("config", "name", "run", "ckpt_path", "trainer.default_root_dir", "trainer.logger")
OF_ONE_RUN = ("seed_everything", "data.seed", "data.fold")
NO_EFFECT_ON_RESULTS = ("data.num_workers", "trainer.enable_progress_bar", "trainer.enable_model_summary")
BUDGET = ("max_epochs", "max_steps", "max_time", "limit_train_batches")
FITTED = ("Probe", "TwoStreamProbe")
FILE_OF_SECTION = "__path__"  # where the parser notes that a section came from a file
CONDITIONS = (*BUDGET, "accelerator", "precision")
"""Settings of the trainer that all models of a comparison have in common."""


def first_difference(one: object, other: object, *, free: Sequence[str] = (), key: str = "") -> str | None:
    """The first dotted key with its two values, such as ``data.batch_size (8, 16)``; None where nothing differs.

    Args:
        one: a configuration, in plain types.
        other: another.
        free: keys that may differ, with all below them.
        key: where both stand, for the answer.
    """
    if key in free:
        return None
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for name in sorted({*one, *other} - {FILE_OF_SECTION}, key=str):
            inner = f"{key}.{name}" if key else str(name)
            found = first_difference(one.get(name), other.get(name), free=free, key=inner)
            if found:
                return found
        return None
    return None if comparable(one) == comparable(other) else f"{key} ({one}, {other})"


def comparable(value: object) -> object:
    """A value as YAML would give it back: paths are text, tuples are lists."""
    if isinstance(value, list | tuple):
        return [comparable(item) for item in value]
    if isinstance(value, Mapping):
        return {name: comparable(item) for name, item in value.items()}
    return str(value) if isinstance(value, Path) else value


def has_epochs(settings: Mapping[str, object]) -> bool:
    """Whether a training goes on for epochs: heads that are fitted to features of a frozen network do not."""
    model = section(settings, "model")
    arguments = model.get("init_args")
    train_on = arguments.get("train_on") if isinstance(arguments, Mapping) else None
    return str(model.get("class_path")).rpartition(".")[2] not in FITTED or train_on == "clips"


def section(settings: Mapping[str, object], name: str) -> dict[str, object]:
    """``data``, ``model`` or ``trainer`` of a configuration; empty where it has none."""
    found = settings.get(name)
    return dict(found) if isinstance(found, Mapping) else {}

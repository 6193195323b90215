"""The links by which data and model tell each other what `vidcls.cli.linked` lists."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from jsonargparse import Namespace

from vidcls.errors import ConfigurationError
from vidcls.models.build import import_class
from vidcls.models.classifier import LINKED_ARGUMENTS
from vidcls.tasks import DEFAULT_TASK, Task
from vidcls.types import ClipSettings

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

    from vidcls.models import VideoClassifier


def add_links(parser: ArgumentParser) -> None:
    """Let each side have what the other knows; see `vidcls.cli.linked`."""
    parser.link_arguments("model", "data.streams", compute_fn=_streams_of)
    parser.link_arguments("seed_everything", "data.seed", compute_fn=int)
    parser.link_arguments("data.class_names", "model.init_args.class_names", apply_on="instantiate")
    parser.link_arguments("data.task", "model.init_args.task", compute_fn=_name_of, apply_on="instantiate")
    parser.link_arguments("data.clip", "model.init_args.clip", compute_fn=_fields_of, apply_on="instantiate")


def check_linked(model: Namespace) -> None:
    """Refuse the same in a configuration of the model, however it was given."""
    defaults = {"clip": Namespace(dataclasses.asdict(ClipSettings())), "task": DEFAULT_TASK}
    for name in LINKED_ARGUMENTS:
        if model.init_args.get(name) not in (None, defaults.get(name)):
            raise ConfigurationError(f"--model.{name}: is set from the data: remove it")


def _name_of(task: Task) -> str:
    """The task as a model takes it."""
    return task.name


def _fields_of(clip: ClipSettings) -> Namespace:
    """The clip settings as the parser wants a dataclass: it builds it once more."""
    return Namespace(dataclasses.asdict(clip))


def _streams_of(model: Namespace) -> list[str | dict[str, object]]:
    """What the class that a configuration names sees, in plain types."""
    found: type[VideoClassifier] = import_class(model["class_path"])
    return [stream.plain() for stream in found.streams]

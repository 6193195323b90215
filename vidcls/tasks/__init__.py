"""What a label means: its target, the loss, probabilities, metrics, and what counts as wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from vidcls.errors import ConfigurationError
from vidcls.tasks.multi_label import MultiLabel
from vidcls.tasks.single_label import SingleLabel
from vidcls.tasks.task import Baseline, HasTask, MetricName, Task

TaskName = Literal["single_label", "multi_label"]

TASKS: dict[str, type[Task]] = {"single_label": SingleLabel, "multi_label": MultiLabel}

DEFAULT_TASK: TaskName = "single_label"
"""What is meant where nothing is said, as in the files of version 0.1."""

__all__ = [
    "DEFAULT_TASK",
    "TASKS",
    "Baseline",
    "HasTask",
    "MetricName",
    "MultiLabel",
    "SingleLabel",
    "Task",
    "TaskName",
    "task_class",
    "task_of",
]


def task_class(name: str | None) -> type[Task]:
    """The task of that name; the default where None.

    Raises:
        ConfigurationError: there is none.
    """
    found = TASKS.get(DEFAULT_TASK if name is None else name)
    if found is None:
        raise ConfigurationError(f"there is no task {ascii(name)[:60]}: use {', '.join(TASKS)}")
    return found


def task_of(name: str | None, class_names: Sequence[str]) -> Task:
    """The task of that name for K classes; the default task where None.

    Raises:
        ConfigurationError: there is no such task.
    """
    return task_class(name)(class_names)

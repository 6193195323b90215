"""What data and model tell each other, and an error where a user states the same."""

from __future__ import annotations

from vidcls.cli.words import Words
from vidcls.errors import ConfigurationError

LINKED = {
    "data.streams": "the model tells the data what it sees",
    "data.seed": "the data follows --seed_everything",
    "model.class_names": "the classes are set from the data (--data.class_names sets their order)",
    "model.task": "the task is set from the data (--data.task)",
    "model.clip": "the clips are set from the data (--data.clip_len, .num_snippets, .stride, .flow_len)",
}


def refuse_linked(words: Words) -> None:
    """Errors where the user gives what model and data tell each other: one of the two would be overruled in silence."""
    for key, source in LINKED.items():
        if words.origin(key) is not None:
            raise ConfigurationError(f"--{key}: {source}: remove it")

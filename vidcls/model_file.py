"""What an exported model file says of itself: classes, input, rows of scores -> one JSON object in its metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, get_args

from vidcls.class_names import checked_class_names
from vidcls.clips.settings import InputSettings
from vidcls.errors import CheckpointError, first_line
from vidcls.settings_file import parse_json
from vidcls.tasks.decision import NO_DECISION, Decision
from vidcls.types import MODEL_ROW, ScoreRule

FORMAT = 1
"""Of the object below; a reader refuses a higher one."""
METADATA_KEY = "vidcls"
"""The key of the object among the metadata of an ONNX file."""
SUFFIXES = (".onnx", ".pt2")
"""What exported files are called: of ONNX, and of ``torch.export``."""
OF_THIS_FILE = "export it again with vidcls export"
_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class ModelFacts:
    """All that a program needs beside the graph to score videos as the test did.

    Args:
        model: the name of the class, such as ``TwoStream``.
        class_names: K names in the order of the scores.
        input: how a video becomes the inputs of the graph, as a checkpoint keeps it.
        rows: the outputs of the graph in order, ``model`` first, then its parts and fusions.
        task: what a label means, by the name of the task.
        precision: ``fp32``, ``fp16`` or ``int8``.
        fixed: sizes that are fixed in the graph: ``T`` frames, ``height`` and ``width`` in pixels.
        checkpoint: ``digest`` and ``run`` of the checkpoint that it was made of.
        results: what its test measured, by name; empty where it was not tested.
        decision: what turns the mean of the views into an answer; files from before it was kept have one without
            effect.
        vidcls: the version that wrote it.
    """

    model: str
    class_names: tuple[str, ...]
    input: InputSettings
    rows: tuple[str, ...] = (MODEL_ROW,)
    task: str = "single_label"
    precision: str = "fp32"
    fixed: Mapping[str, int] = field(default_factory=dict)
    checkpoint: Mapping[str, str] = field(default_factory=dict)
    results: Mapping[str, Any] = field(default_factory=dict)
    decision: Decision = NO_DECISION
    vidcls: str = ""

    def __post_init__(self) -> None:
        """Refuse what no reader could use."""
        object.__setattr__(self, "class_names", checked_class_names(self.class_names))
        if not self.rows or self.rows[0] != MODEL_ROW or len(set(self.rows)) < len(self.rows):
            raise ValueError(f"rows are {list(self.rows)}; they must be different names, {MODEL_ROW} first")

    @property
    def score(self) -> ScoreRule:
        """What the graph gives for each view: probabilities, or logits, whose mean is then turned into them."""
        return self.input.score

    def to_json(self) -> str:
        """The object as text."""
        from vidcls import __version__

        plain = {
            "format": FORMAT,
            "vidcls": self.vidcls or __version__,
            "model": self.model,
            "task": self.task,
            "class_names": list(self.class_names),
            "rows": list(self.rows),
            "score": self.score,
            "input": self.input.to_dict(),
            "precision": self.precision,
            "fixed": dict(self.fixed),
            "checkpoint": dict(self.checkpoint),
            "results": dict(self.results),
            "decision": self.decision.to_dict(),
        }
        text = json.dumps(plain, ensure_ascii=False)
        if any("\ud800" <= character <= "\udfff" for character in text):  # a folder whose name is not Unicode
            return json.dumps(plain)
        return text

    @classmethod
    def from_json(cls, text: str | bytes | None, source: object) -> ModelFacts:
        """The inverse of :meth:`to_json`.

        Args:
            text: the object; None where the file has none.
            source: the file, for messages.

        Raises:
            CheckpointError: there is no object, it is of a newer format, or something in it is not understood.
        """
        if text is None:
            raise CheckpointError(
                f"{source}: does not say how a video becomes its input: it was not written by vidcls export; pass a "
                "file that was"
            )
        try:
            plain = parse_json(text)
            if not isinstance(plain, dict):
                raise ValueError(f"expected an object, got {type(plain).__name__}")
            _check_format(plain.get("format"), plain.get("vidcls"), source)
            return cls._from_plain(plain)
        except (KeyError, TypeError, ValueError) as error:
            reason = f"it has no {error}" if isinstance(error, KeyError) else first_line(error)
            raise CheckpointError(
                f"{source}: what it says of its model is not understood ({reason}): {OF_THIS_FILE}"
            ) from error

    @classmethod
    def _from_plain(cls, plain: Mapping[str, Any]) -> ModelFacts:
        if plain.get("score") not in get_args(ScoreRule):
            raise ValueError(f"score is {ascii(plain.get('score'))[:60]}; allowed are {', '.join(get_args(ScoreRule))}")
        texts = {name: _text(name, plain[name]) for name in ("model", "task", "precision", "vidcls")}
        rows = tuple(_text("rows", row) for row in _list("rows", plain["rows"]))
        fixed = _object("fixed", plain.get("fixed", _EMPTY))
        if any(type(size) is not int or size < 1 for size in fixed.values()):
            raise ValueError("the sizes that are fixed must be integers of at least 1")
        checkpoint = _object("checkpoint", plain.get("checkpoint", _EMPTY))
        found = cls(
            class_names=checked_class_names(plain["class_names"]),
            input=InputSettings.from_dict(_object("input", plain["input"])),
            rows=rows,
            fixed={str(name): size for name, size in fixed.items()},
            checkpoint={str(name): str(value) for name, value in checkpoint.items()},
            results=_object("results", plain.get("results", _EMPTY)),
            decision=Decision.from_dict(plain.get("decision")),
            **texts,
        )
        if found.score != plain["score"]:
            raise ValueError(f"score is {plain['score']}, but its input averages {found.score}")
        return found


def _check_format(number: object, version: object, source: object) -> None:
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ValueError(f"its format is {ascii(number)[:60]}; it must be an integer of at least 1")
    if number > FORMAT:
        raise CheckpointError(
            f"{source}: has the format {str(number)[:40]} of vidcls {ascii(version)[:40]}, and this vidcls reads up to "
            f"{FORMAT}: update vidcls, or export the model again with this version"
        )


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} must be text, got {type(value).__name__}")
    return value


def _list(name: str, value: object) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{name} must be a list, got {type(value).__name__}")
    return value


def _object(name: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} must be names with values, got {type(value).__name__}")
    return value

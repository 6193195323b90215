"""The scores of a finished network -> an answer: what was chosen for that on validation videos, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from vidcls.types import MODEL_ROW

if TYPE_CHECKING:
    from vidcls.tasks.task import Task

UnknownScore = Literal["max_probability"]
"""What tells a video of none of the classes: a small largest probability (Hendrycks and Gimpel, ICLR 2017).

The energy of Liu et al. (NeurIPS 2020) needs logits, and of a video that is scored by several views, or by several
streams, there are none: what is averaged, and what the graph of an exported file gives, are probabilities. Where logits
are averaged (``score: logits``), all that comes after the mean has probabilities too, from which no energy follows.
"""

UNKNOWN = "unknown"
"""The answer for a video that is taken to be of none of the classes."""

Scores = NDArray[np.floating]
_NONE: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True)
class Decision:
    """What turns probabilities of a video, the mean over its views, into an answer.

    A checkpoint keeps it, and so does an exported file; test, predict and serve apply it to the same numbers::

        video -> views -> network -> mean over views -> applied() -> answer
                                     p (K,) by row      p' (K,)

    Args:
        temperature: T by row of the test's table (``model``, its parts and its fusions); a row that is not named has 1,
            which leaves its probabilities as they are. Above 1 the network was overconfident.
        unknown_below: a video whose largest probability is below it is taken to be of none of the classes; None if no
            threshold was chosen.
        unknown_score: what is compared with it.
        thresholds: from which probability on a video has a class, ``(K,)``, where it may have several; empty where none
            was chosen.
        num_videos: validation videos that all this was chosen on.
    """

    temperature: Mapping[str, float] = field(default_factory=lambda: _NONE)
    unknown_below: float | None = None
    unknown_score: UnknownScore = "max_probability"
    thresholds: tuple[float, ...] = ()
    num_videos: int = 0

    def __post_init__(self) -> None:
        """Refuse values that cannot be used: files may come from others."""
        for row, value in self.temperature.items():
            if not isinstance(row, str) or not _is_number(value) or value <= 0:
                raise ValueError(f"the temperature of {ascii(row)[:40]} is {ascii(value)[:40]}; it must be above 0")
        if self.unknown_below is not None and not _is_number(self.unknown_below):
            raise ValueError(f"unknown_below is {ascii(self.unknown_below)[:40]}; it must be a number")
        if self.unknown_score not in get_args(UnknownScore):
            allowed = ", ".join(get_args(UnknownScore))
            raise ValueError(f"unknown_score is {ascii(self.unknown_score)[:40]}; allowed are {allowed}")
        if not all(_is_number(value) and 0 <= value <= 1 for value in self.thresholds):
            raise ValueError("thresholds must be numbers in 0 to 1")
        if not isinstance(self.num_videos, int) or self.num_videos < 0:
            raise ValueError(f"num_videos is {ascii(self.num_videos)[:40]}; it must be an integer of at least 0")

    def __reduce__(self) -> tuple[type[Decision], tuple[object, ...]]:
        """Copies and other processes get one of plain values: a view of a mapping cannot be copied."""
        return Decision, (
            dict(self.temperature),
            self.unknown_below,
            self.unknown_score,
            self.thresholds,
            self.num_videos,
        )

    @property
    def is_tempered(self) -> bool:
        """Whether it changes any probability."""
        return any(value != 1 for value in self.temperature.values())

    def applied(self, scores: Mapping[str, Scores], task: Task) -> dict[str, Scores]:
        """Probabilities ``(..., K)`` by row, as the network gives them -> at the temperature of each row.

        ``softmax(log p / T)`` where a video has one class: for one view that is ``softmax(logits / T)`` (Guo et al.: On
        Calibration of Modern Neural Networks, ICML 2017). The order of the classes stays as it is. At a temperature of
        1 the same array is returned.
        """
        return {row: tempered(found, self.temperature.get(row, 1.0), task) for row, found in scores.items()}

    def deciding(self, task: Task) -> Task:
        """The task with the thresholds of its classes, for what :meth:`applied` gives."""
        return task.with_thresholds(self.thresholds)

    def deciding_untempered(self, task: Task) -> Task:
        """The same for probabilities of the model as the network gives them."""
        if not self.thresholds:
            return task
        undone = tempered(np.array(self.thresholds), 1 / self.temperature.get(MODEL_ROW, 1.0), task)
        return task.with_thresholds(undone.clip(np.finfo(np.float32).tiny, 1.0))

    def answer(self, scores: Scores, task: Task, *, says_unknown: bool = False) -> tuple[str, ...]:
        """What :meth:`applied` gives for one video, ``(K,)`` -> the classes that it is given.

        Args:
            scores: of the video.
            task: what its labels mean.
            says_unknown: whether the answer may be :data:`UNKNOWN`.
        """
        return (
            (UNKNOWN,) if says_unknown and bool(self.is_unknown(scores, task)) else self.deciding(task).answer(scores)
        )

    def is_unknown(self, scores: Scores, task: Task) -> NDArray[np.bool_]:
        """What :meth:`applied` gives, ``(..., K)`` -> whether each video is unknown ``(...)``."""
        confidence = task.confidence(scores[None] if scores.ndim == 1 else scores)
        found = np.zeros(confidence.shape, bool) if self.unknown_below is None else confidence < self.unknown_below
        return found[0] if scores.ndim == 1 else found

    def to_dict(self) -> dict[str, object]:
        """Plain types, for a checkpoint and for json."""
        return {
            "temperature": {row: float(value) for row, value in self.temperature.items()},
            "unknown_below": None if self.unknown_below is None else float(self.unknown_below),
            "unknown_score": self.unknown_score,
            "thresholds": [float(value) for value in self.thresholds],
            "num_videos": self.num_videos,
        }

    @classmethod
    def from_dict(cls, plain: object) -> Decision:
        """The inverse of :meth:`to_dict`; of None, as in files from before there were decisions, one without effect.

        Raises:
            ValueError: something in it is not understood.
        """
        if plain is None:
            return cls()
        if not isinstance(plain, Mapping):
            raise ValueError(f"decision is {type(plain).__name__}, expected names with values")
        temperature, thresholds = plain.get("temperature", _NONE), plain.get("thresholds", ())
        if not isinstance(temperature, Mapping) or isinstance(thresholds, str) or not isinstance(thresholds, Sequence):
            raise ValueError("decision holds more than temperatures by row and a list of thresholds")
        return cls(
            temperature=MappingProxyType(dict(temperature)),
            unknown_below=plain.get("unknown_below"),
            unknown_score=plain.get("unknown_score", "max_probability"),
            thresholds=tuple(thresholds),
            num_videos=plain.get("num_videos", 0),
        )


NO_DECISION = Decision()
"""Nothing was chosen: the network's own probabilities are used."""


def tempered(probabilities: Scores, temperature: float, task: Task) -> Scores:
    """Probabilities ``(..., K)`` at another temperature: those of ``logits / temperature``.

    Of classes that exclude each other ``softmax(log p / T)``; where a video may have several, each on its own:
    ``sigmoid(logit p / T)``.
    """
    if temperature == 1:
        return probabilities
    with np.errstate(divide="ignore"):  # the logarithm of 0 is -inf, and stays 0 at every temperature
        log_p = np.log(probabilities.astype(np.float64))
        if task.has_one_class:
            powers = np.exp((log_p - log_p.max(axis=-1, keepdims=True)) / temperature)
            found = powers / powers.sum(axis=-1, keepdims=True)
        else:
            log_q = np.log1p(-probabilities.astype(np.float64))
            found = 1 / (1 + np.exp(np.clip((log_q - log_p) / temperature, -700, 700)))
    return found.astype(probabilities.dtype)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

"""The scores of several models for the same videos -> one answer: their mean or their product, with weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from vidcls.class_names import checked_class_names
from vidcls.tasks import task_of
from vidcls.tasks.decision import NO_DECISION, Decision
from vidcls.tasks.task import Task
from vidcls.types import MODEL_ROW

Rule = Literal["mean", "product"]


@dataclass(frozen=True)
class Ensemble:
    """How M models answer together; they may differ in all but the set of classes and the task.

    The mean of probabilities is the linear opinion pool, their weighted geometric mean the logarithmic one, in which
    each member has a veto (Genest and Zidek: Combining Probability Distributions, Statistical Science 1986).

    Args:
        names: of the members, M different ones.
        class_names: K names, in the order of the answer; members are matched by name.
        rule: ``mean`` or ``product`` of their probabilities.
        weights: ``(M,)``, at least 0; their sum does not matter.
        task_name: what a label means, by the name of the task.
        decision: what turns the mean or product into an answer, with its temperature in the row ``model``. Those of
            the members are for what each says alone.
    """

    names: tuple[str, ...]
    class_names: tuple[str, ...]
    rule: Rule
    weights: tuple[float, ...]
    task_name: str
    decision: Decision = NO_DECISION

    def __post_init__(self) -> None:
        """Refuse what gives no answer."""
        if self.rule not in get_args(Rule):
            raise ValueError(f"rule is {ascii(self.rule)[:60]}; allowed are {', '.join(get_args(Rule))}")
        if not self.names or len(set(self.names)) < len(self.names) or len(self.weights) != len(self.names):
            raise ValueError(f"{len(self.names)} names and {len(self.weights)} weights; one weight for each name")
        if not all(0 <= weight < float("inf") for weight in self.weights) or not sum(self.weights) > 0:
            raise ValueError(f"weights are {list(self.weights)}; they must be at least 0, and one of them above")

    @cached_property
    def task(self) -> Task:
        """What a label means."""
        return self.decision.deciding(task_of(self.task_name, self.class_names))

    @property
    def shares(self) -> NDArray[np.float64]:
        """The weights ``(M,)``, which add up to 1."""
        weights = np.asarray(self.weights, dtype=np.float64)
        return weights / weights.sum()

    def in_order(self, scores: NDArray[np.floating], class_names: Sequence[str]) -> NDArray[np.floating]:
        """Scores ``(..., K)`` of a member that has its classes in another order, in that of the ensemble."""
        place_of = {name: place for place, name in enumerate(class_names)}
        return scores[..., [place_of[name] for name in self.class_names]]

    def combined(self, scores: NDArray[np.floating]) -> NDArray[np.float32]:
        """Probabilities ``(M, ..., K)`` of the members -> those of the ensemble ``(..., K)``, at its temperature."""
        if self.rule == "mean":
            found = np.tensordot(self.shares, scores.astype(np.float64), axes=1).astype(np.float32)
        else:
            found = self.task.array_probabilities(np.tensordot(self.shares, self.task.array_logits(scores), axes=1))
        return self.decision.applied({MODEL_ROW: found}, self.task)[MODEL_ROW]

    def to_dict(self) -> dict[str, object]:
        """In plain types."""
        return {
            "names": list(self.names),
            "class_names": list(self.class_names),
            "rule": self.rule,
            "weights": list(self.weights),
            "task": self.task_name,
            "decision": self.decision.to_dict(),
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Ensemble:
        """The inverse of :meth:`to_dict`.

        Raises:
            ConfigurationError: there is no such task.
            KeyError, TypeError, ValueError: something is missing or is not what it should be.
        """
        found = cls(
            names=tuple(map(str, plain["names"])),
            class_names=checked_class_names(plain["class_names"]),
            rule=plain["rule"],
            weights=tuple(map(float, plain["weights"])),
            task_name=str(plain["task"]),
            decision=Decision.from_dict(plain.get("decision", {"thresholds": plain.get("thresholds", ())})),
        )
        assert found.task.class_names == found.class_names  # thresholds that no task can have are a ValueError
        return found

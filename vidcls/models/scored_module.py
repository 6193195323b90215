"""What the hooks of a classifier share: its classes, its scorer, and the guard over losses and scores."""

from __future__ import annotations

from typing import ClassVar

from lightning.pytorch import LightningModule

from vidcls.inference import Scorer
from vidcls.models.finite_guard import FiniteGuard
from vidcls.tasks import Task
from vidcls.tasks.decision import Decision
from vidcls.training.optimization import OptimizationSettings
from vidcls.types import ScoreRule, Stream, as_streams


class ScoredModule(LightningModule):
    """A module whose answers are logits ``(B, K)`` by row."""

    streams: ClassVar[tuple[Stream, ...]]
    task: Task
    finite: FiniteGuard
    input_settings: dict[str, object] | None
    optimization: OptimizationSettings
    decision: Decision
    """What turns the scores of a video into an answer; fitted when a training has ended."""

    is_second_pass = False
    """Whether a training batch is gone through again, for the gradients of other weights."""

    def __init_subclass__(cls, **arguments: object) -> None:
        """Take ``"rgb"`` and ``"flow"`` in ``streams`` for the streams that are called like their kind."""
        super().__init_subclass__(**arguments)
        if "streams" in vars(cls):
            cls.streams = as_streams(cls.streams)

    @property
    def class_names(self) -> tuple[str, ...]:
        """K names in the order of the logits."""
        return self.task.class_names

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.class_names)

    @property
    def score_rule(self) -> ScoreRule:
        """What is averaged over views, and over parts by the fusions ``mean`` and ``weighted``: a data setting."""
        return "logits" if (self.input_settings or {}).get("score") == "logits" else "probabilities"

    @property
    def scorer(self) -> Scorer:
        """Logits and scores of batches that come normalised, as those of a trainer do."""
        return Scorer(self, self.score_rule)

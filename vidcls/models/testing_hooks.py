"""The test of a classifier: every view of each video -> scores by row, joined over all processes."""

from __future__ import annotations

from vidcls.inference import HasParts
from vidcls.models.scored_module import ScoredModule
from vidcls.training.results import VideoScores, decided
from vidcls.training.tally import ScoreTally
from vidcls.types import MODEL_ROW, Batch


class TestingHooks(ScoredModule):
    """What Lightning asks of a module about a test."""

    test_scores: VideoScores | None

    def on_test_epoch_start(self) -> None:
        """Begin with no scores."""
        parts = self.parts if isinstance(self, HasParts) else ()
        self._test_tally = ScoreTally(self.decision.deciding_untempered(self.task), parts, self.score_rule)

    def test_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002
        """Keep the scores of the videos, and note those that could not be read.

        Raises:
            CheckpointError: a video has scores that are not finite.
        """
        self._test_tally.add_unread(batch)
        if len(batch["label"]) > 0:
            by_view = self.scorer.by_view(batch["streams"])
            for scores in by_view.values():
                self.finite.note_scores(scores.sum(dim=(1, 2)), batch["index"])
            self._test_tally.add(batch, by_view[MODEL_ROW], self.scorer.averaged(by_view))  # waits for the device
            self.finite.check_scores(self, "test")

    def on_test_epoch_end(self) -> None:
        """Join the scores of all processes, in the order of the list, and log the table."""
        self.test_scores = decided(self._test_tally.total(self.trainer.world_size), self.decision)
        for row, metrics in self.test_scores.table().items():
            prefix = "test/" if row == MODEL_ROW else f"test/{row}_"
            self.log_dict({prefix + name: value for name, value in metrics.items()})

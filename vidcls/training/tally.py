"""The scores of a test as they come, batch by batch -> those of all processes, in the order of the list."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from vidcls.training.results import MODEL_ROW, TestScores, UnreadVideo, joined, right_by_views
from vidcls.training.view_scores import video_scores
from vidcls.types import Batch, ScoreRule


class TestTally:
    """Collects what a test finds on this process.

    Args:
        class_names: K names.
        parts: the rows that are parts of the model.
        rule: what is averaged over the views of a video.
    """

    __test__ = False

    def __init__(self, class_names: tuple[str, ...], parts: tuple[str, ...], rule: ScoreRule = "probabilities") -> None:
        self.class_names, self.parts, self.rule = class_names, parts, rule
        self._shards: list[TestScores] = []
        self._unread: list[UnreadVideo] = []

    def add_unread(self, batch: Batch) -> None:
        """Note the videos of a batch that could not be read."""
        self._unread += [UnreadVideo(*video) for video in batch.get("unread", ())]

    def add(self, batch: Batch, by_view: Mapping[str, Tensor]) -> None:
        """Keep the scores ``(B, V, K)`` of the V views of a batch's videos, by row: probabilities, or logits."""
        scores = {row: video_scores(values, self.rule).cpu() for row, values in by_view.items()}
        indices, labels = batch["index"].cpu(), batch["label"].cpu()
        views_right = right_by_views(by_view[MODEL_ROW].cpu(), labels)
        self._shards.append(TestScores(self.class_names, indices, labels, scores, self.parts, views_right))

    def total(self, world_size: int) -> TestScores:
        """The scores of all processes together; each of ``world_size`` has to ask for them.

        Raises:
            DecodeError: no video could be read.
        """
        mine = (self._shards, self._unread)
        gathered = [mine] * world_size
        if world_size > 1:
            torch.distributed.all_gather_object(gathered, mine)
        shards = [shard for of_process, _ in gathered for shard in of_process]
        return joined(shards, [video for _, of_process in gathered for video in of_process])

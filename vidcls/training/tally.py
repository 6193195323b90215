"""The scores of a test as they come, batch by batch -> those of all processes, in the order of the list."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from vidcls.tasks import Task
from vidcls.training.results import UnreadVideo, VideoScores, joined, right_by_views
from vidcls.types import Batch, ScoreRule


class ScoreTally:
    """Collects what a test finds on this process.

    Args:
        task: what the labels mean.
        parts: the rows that are parts of the model.
        rule: what is averaged over the views of a video.
    """

    def __init__(self, task: Task, parts: tuple[str, ...], rule: ScoreRule = "probabilities") -> None:
        self.task, self.parts, self.rule = task, parts, rule
        self._shards: list[VideoScores] = []
        self._unread: list[UnreadVideo] = []

    def add_unread(self, batch: Batch) -> None:
        """Note the videos of a batch that could not be read."""
        self._unread += [UnreadVideo(*video) for video in batch.get("unread", ())]

    def add(self, batch: Batch, by_view: Tensor, by_row: Mapping[str, Tensor]) -> None:
        """Keep the scores of a batch's videos.

        Args:
            batch: says which videos these are.
            by_view: what the model's answer ``(B, V, K)`` is averaged from.
            by_row: probabilities ``(B, K)`` by row.
        """
        scores = {row: values.cpu() for row, values in by_row.items()}
        indices, labels = batch["index"].cpu(), batch["label"].cpu()
        views_right = right_by_views(by_view.cpu(), labels, self.task, self.rule)
        self._shards.append(VideoScores(self.task, indices, labels, scores, self.parts, views_right))

    def total(self, world_size: int) -> VideoScores:
        """The scores of all processes together; each of ``world_size`` has to ask for them.

        Raises:
            DecodeError: no video could be read.
        """
        return joined(*self.gathered(world_size))

    def gathered(self, world_size: int) -> tuple[list[VideoScores], list[UnreadVideo]]:
        """The scores of each batch of all processes, and the videos that could not be read; asked for by each."""
        mine = (self._shards, self._unread)
        gathered = [mine] * world_size
        if world_size > 1:
            torch.distributed.all_gather_object(gathered, mine)
        shards = [shard for of_process, _ in gathered for shard in of_process]
        return shards, [video for _, of_process in gathered for video in of_process]

"""Which videos come in which order: a function of (seed, epoch) for training, the list itself for tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Sampler

from vidcls.datasets.record_facts import class_pairs
from vidcls.loading.clip_dataset import ClipKey
from vidcls.types import VideoRecord


def balanced_chances(records: Sequence[VideoRecord]) -> NDArray[np.float64]:
    """Chances ``(num_videos,)`` by which classes are drawn equally often: 1 / videos of the class of each video.

    Of a video with several classes the rarest decides; one without a class is drawn as a video of the largest is.
    """
    videos, codes = class_pairs(records)
    counts = np.bincount(codes)
    chances = np.full(len(records), 1 / max(counts.max(initial=1), 1))
    with np.errstate(divide="ignore"):
        np.maximum.at(chances, videos, (1 / counts)[codes])
    return chances


class TrainBatches(Sampler[list[ClipKey]]):
    """The batches of one process in one epoch, from any position on.

    Every process computes the same global order and takes its share of each global batch, so all have equally many. A
    last batch that is not full is dropped, unless it is the only one. Where each video gives several clips, all are in
    one batch, and its neighbours are clips of other videos, which is whom MixUp takes.

    Args:
        num_videos: videos in the training split.
        batch_size: clips in a batch of one process, a multiple of ``num_repeats``.
        num_repeats: clips of each video in the batch that it is in.
        seed: of the order and of everything random in the samples.
        weights: ``(num_videos,)`` chance of each video to be drawn, with replacement; None shuffles them.
        is_fixed: every epoch has the order of the first, so that its first batches are those of every epoch
            (Lightning's ``overfit_batches``); crops and clips are still drawn for each epoch.
        rank: number of this process.
        world_size: number of processes.
    """

    def __init__(
        self,
        num_videos: int,
        batch_size: int,
        *,
        seed: int,
        num_repeats: int = 1,
        weights: Sequence[float] | NDArray[np.float64] | None = None,
        is_fixed: bool = False,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.num_videos = num_videos
        self.num_repeats = num_repeats
        self.videos_per_batch = batch_size // num_repeats
        self.seed = seed
        self.weights = weights
        self.is_fixed = is_fixed
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        self.start_batch = 0

    @property
    def videos_per_step(self) -> int:
        """Videos in the batches of all processes together."""
        return self.videos_per_batch * self.world_size

    def __len__(self) -> int:
        """Batches of a whole epoch, wherever this one starts."""
        return max(1, self.num_videos // self.videos_per_step)

    def __iter__(self) -> Iterator[list[ClipKey]]:
        order = self._order()
        shares = min(self.videos_per_batch, max(1, len(order) // self.world_size))
        for batch in range(self.start_batch, len(self)):
            start = (batch * self.world_size + self.rank) * shares
            numbers = order[np.arange(start, start + shares) % len(order)].tolist()
            repeats = range(self.num_repeats)
            yield [ClipKey(self.seed, self.epoch, number, repeat) for repeat in repeats for number in numbers]

    def _order(self) -> NDArray[np.int64]:
        """The numbers of the videos as they are drawn, ``(num_videos,)``."""
        epoch = 0 if self.is_fixed else self.epoch
        generator = torch.Generator().manual_seed(ClipKey(self.seed, epoch, -1).derived_seed())
        if self.weights is None:
            return torch.randperm(self.num_videos, generator=generator).numpy()
        weights = torch.as_tensor(self.weights, dtype=torch.float64)
        return torch.multinomial(weights, self.num_videos, replacement=True, generator=generator).numpy()


class OrderedBatches(Sampler[list[int]]):
    """The list cut into batches first, then whole batches dealt to the processes: no batch depends on their number.

    A process that would get none has one empty batch, since Lightning leaves a loop without batches out, and the
    others would wait for its part of the result forever.

    Args:
        num_videos: videos in the list.
        batch_size: videos in a batch.
        rank: number of this process.
        world_size: number of processes.
    """

    def __init__(self, num_videos: int, batch_size: int, *, rank: int = 0, world_size: int = 1) -> None:
        self._starts = range(0, num_videos, batch_size)[rank::world_size]
        self._num_videos, self._batch_size = num_videos, batch_size
        self.start_batch = 0

    def __len__(self) -> int:
        return max(1, len(self._starts))

    def __iter__(self) -> Iterator[list[int]]:
        if not self._starts and self.start_batch == 0:
            yield []
        for start in self._starts[self.start_batch :]:
            yield list(range(start, min(start + self._batch_size, self._num_videos)))

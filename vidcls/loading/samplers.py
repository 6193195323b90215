"""Which videos come in which order: a function of (seed, epoch) for training, the list itself for tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import Sampler

from vidcls.loading.clip_dataset import ClipKey
from vidcls.types import VideoRecord


def balanced_chances(records: Sequence[VideoRecord]) -> list[float]:
    """Chances ``(num_videos,)`` by which classes are drawn equally often: 1 / videos of the class of each video.

    Of a video with several classes the rarest decides; one without a class is drawn as a video of the largest is.
    """
    counts = Counter(name for record in records for name in record.classes)
    least = 1 / max(counts.values(), default=1)
    return [max((1 / counts[name] for name in record.classes), default=least) for record in records]


class TrainBatches(Sampler[list[ClipKey]]):
    """The batches of one process in one epoch, from any position on.

    Every process computes the same global order and takes its share of each global batch, so all have equally many. A
    last batch that is not full is dropped, unless it is the only one.

    Args:
        num_videos: videos in the training split.
        batch_size: videos in a batch of one process.
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
        weights: Sequence[float] | None = None,
        is_fixed: bool = False,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.num_videos = num_videos
        self.batch_size = batch_size
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
        return self.batch_size * self.world_size

    def __len__(self) -> int:
        """Batches of a whole epoch, wherever this one starts."""
        return max(1, self.num_videos // self.videos_per_step)

    def __iter__(self) -> Iterator[list[ClipKey]]:
        order = self._order()
        shares = min(self.batch_size, max(1, len(order) // self.world_size))
        for batch in range(self.start_batch, len(self)):
            start = (batch * self.world_size + self.rank) * shares
            yield [ClipKey(self.seed, self.epoch, order[k % len(order)]) for k in range(start, start + shares)]

    def _order(self) -> list[int]:
        epoch = 0 if self.is_fixed else self.epoch
        generator = torch.Generator().manual_seed(ClipKey(self.seed, epoch, -1).derived_seed())
        if self.weights is None:
            return torch.randperm(self.num_videos, generator=generator).tolist()
        weights = torch.tensor(self.weights, dtype=torch.float64)
        return torch.multinomial(weights, self.num_videos, replacement=True, generator=generator).tolist()


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
        starts = range(0, num_videos, batch_size)
        batches = [list(range(start, min(start + batch_size, num_videos))) for start in starts]
        self._batches = batches[rank::world_size] or [[]]
        self.start_batch = 0

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self._batches[self.start_batch :])

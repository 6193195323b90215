"""A test on any number of processes finds the scores of one, to the last digit; dealt here without starting any."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from vidcls.loading.samplers import OrderedBatches
from vidcls.tasks import SingleLabel
from vidcls.training.results import VideoScores, joined

Deal = Callable[[int, int, int, int], Sequence[list[int]]]
"""Number of videos, batch size, rank and number of processes -> the batches of that process."""
TASK = SingleLabel([f"class {k}" for k in range(6)])


def dealt(num_videos: int, batch_size: int, rank: int, world_size: int) -> Sequence[list[int]]:
    return list(OrderedBatches(num_videos, batch_size, rank=rank, world_size=world_size))


def padded(num_videos: int, batch_size: int, rank: int, world_size: int) -> Sequence[list[int]]:
    """As torch's DistributedSampler deals: every process gets equally many, some videos twice."""
    each = -(-num_videos // world_size)
    own = [(rank + k * world_size) % num_videos for k in range(each)]
    return [own[k : k + batch_size] for k in range(0, each, batch_size)]


def scores_of(
    videos: Tensor, net: torch.nn.Module, batch_size: int, world_size: int, deal: Deal = dealt
) -> VideoScores:
    """What the processes find together, each batch by batch as a test step does; one without a video adds nothing."""
    shards = []
    for rank in range(world_size):
        for batch in deal(len(videos), batch_size, rank, world_size):
            if batch:
                indices = torch.tensor(batch)
                scores = net(videos[indices]).softmax(dim=-1)
                shards.append(VideoScores(TASK, indices, indices % 6, {"model": scores, "mean": scores.square()}))
    return joined(shards)


def differ(first: VideoScores, second: VideoScores) -> bool:
    return not (
        torch.equal(first.indices, second.indices)
        and torch.equal(first.labels, second.labels)
        and all(torch.equal(scores, second.scores[row]) for row, scores in first.scores.items())
        and first.table() == second.table()
    )


@pytest.fixture(scope="module")
def net() -> torch.nn.Module:
    """Sums in an order that depends on the batch, as real layers do."""
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(64, 300), torch.nn.Tanh(), torch.nn.Linear(300, 6)).eval()


@torch.no_grad()
def test_any_number_of_processes_finds_the_scores_of_one(
    net: torch.nn.Module, is_full: bool, tally: Callable[..., None]
) -> None:
    tried, bad = 0, []
    for num_videos in range(1, 60 if is_full else 12):
        videos = torch.randn(num_videos, 64, generator=torch.Generator().manual_seed(num_videos))
        for batch_size in (1, 2, 3, 4, 7, 16):
            alone = scores_of(videos, net, batch_size, 1)
            assert alone.indices.tolist() == list(range(num_videos))
            for world_size in (2, 3, 4, 8):
                tried += 1
                if differ(alone, scores_of(videos, net, batch_size, world_size)):
                    bad.append((num_videos, batch_size, world_size))
    tally("test on several processes", recovered=tried - len(bad), lost=len(bad))
    assert bad == []


@torch.no_grad()
def test_a_video_that_counts_twice_is_found(net: torch.nn.Module) -> None:
    videos = torch.randn(7, 64, generator=torch.Generator().manual_seed(0))
    assert differ(scores_of(videos, net, 2, 1), scores_of(videos, net, 2, 3, deal=padded))

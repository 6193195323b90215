"""Which videos come in which order."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from vidcls.loading.clip_dataset import ClipKey
from vidcls.loading.samplers import OrderedBatches, TrainBatches

sizes = st.integers(1, 40)
batch_sizes = st.integers(1, 9)
world_sizes = st.integers(1, 5)
quick = settings(max_examples=60, deadline=None)


def epoch_of(
    num_videos: int, batch_size: int, *, rank: int = 0, world_size: int = 1, epoch: int = 0
) -> list[list[ClipKey]]:
    batches = TrainBatches(num_videos, batch_size, seed=3, rank=rank, world_size=world_size)
    batches.epoch = epoch
    return list(batches)


@quick
@given(sizes, batch_sizes, st.integers(0, 5))
def test_every_video_comes_once_in_an_epoch_apart_from_the_rest_of_the_last_batch(
    num_videos: int, batch_size: int, epoch: int
) -> None:
    indices = [key.index for batch in epoch_of(num_videos, batch_size, epoch=epoch) for key in batch]
    assert len(set(indices)) == len(indices)
    assert set(indices) <= set(range(num_videos))
    left_out = num_videos - len(indices)
    assert left_out == (num_videos % batch_size if num_videos >= batch_size else 0)


@quick
@given(sizes, batch_sizes, world_sizes)
def test_processes_have_equally_many_batches_of_one_size_and_no_video_twice(
    num_videos: int, batch_size: int, world_size: int
) -> None:
    by_rank = [epoch_of(num_videos, batch_size, rank=rank, world_size=world_size) for rank in range(world_size)]
    assert len({len(batches) for batches in by_rank}) == 1
    assert len({len(batch) for batches in by_rank for batch in batches}) == 1
    indices = [key.index for batches in by_rank for batch in batches for key in batch]
    if num_videos >= world_size:  # with fewer videos than processes some must share one
        assert len(set(indices)) == len(indices)
    assert len(TrainBatches(num_videos, batch_size, seed=3, world_size=world_size)) == len(by_rank[0])


@quick
@given(sizes, batch_sizes, world_sizes)
def test_the_processes_together_take_the_global_batches_of_one(
    num_videos: int, batch_size: int, world_size: int
) -> None:
    if num_videos < batch_size * world_size:
        return
    by_rank = [epoch_of(num_videos, batch_size, rank=rank, world_size=world_size) for rank in range(world_size)]
    together = [[key for batches in by_rank for key in batches[k]] for k in range(len(by_rank[0]))]
    assert together == epoch_of(num_videos, batch_size * world_size)


@quick
@given(sizes, batch_sizes, world_sizes, st.data())
def test_going_on_at_a_batch_yields_the_rest_of_the_epoch(
    num_videos: int, batch_size: int, world_size: int, data: st.DataObject
) -> None:
    whole = epoch_of(num_videos, batch_size, world_size=world_size, epoch=4)
    batches = TrainBatches(num_videos, batch_size, seed=3, world_size=world_size)
    batches.epoch, batches.start_batch = 4, data.draw(st.integers(0, len(whole)))
    assert list(batches) == whole[batches.start_batch :]
    assert len(batches) == len(whole)


def test_the_order_follows_seed_and_epoch_and_nothing_else() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        batches = TrainBatches(20, 4, seed=seed)
        batches.epoch = epoch
        return [key.index for batch in batches for key in batch]

    assert order(1, 2) == order(1, 2)
    assert len({tuple(order(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9
    assert epoch_of(20, 4, epoch=7)[0][0][:2] == (3, 7)


def test_keys_that_differ_in_one_number_have_seeds_far_apart() -> None:
    keys = [ClipKey(seed, epoch, index) for seed in range(8) for epoch in range(8) for index in range(8)]
    seeds = {key.derived_seed() for key in keys}
    assert len(seeds) == len(keys)
    assert all(0 <= seed < 2**62 for seed in seeds)
    assert ClipKey(1, 2, 3).derived_seed() == 1452325159219566277  # a seed means the same clips tomorrow


def test_weighted_drawing_brings_every_class_equally_often() -> None:
    labels = ["common"] * 90 + ["rare"] * 10
    batches = TrainBatches(100, 10, seed=0, weights=[1 / labels.count(label) for label in labels])
    drawn: Counter[str] = Counter()
    for epoch in range(50):
        batches.epoch = epoch
        drawn.update(labels[key.index] for batch in batches for key in batch)
    assert sum(drawn.values()) == 5000
    assert 2350 <= drawn["rare"] <= 2650  # mean 2500, standard deviation 35


@quick
@given(sizes, batch_sizes, world_sizes)
def test_ordered_batches_are_the_same_ones_whatever_the_number_of_processes(
    num_videos: int, batch_size: int, world_size: int
) -> None:
    alone = list(OrderedBatches(num_videos, batch_size))
    assert [index for batch in alone for index in batch] == list(range(num_videos))
    by_rank = [
        list(OrderedBatches(num_videos, batch_size, rank=rank, world_size=world_size)) for rank in range(world_size)
    ]
    assert all(len(batches) >= 1 for batches in by_rank)  # a process without batches would leave the others waiting
    dealt = [batch for batches in by_rank for batch in batches if batch]
    assert sorted(dealt) == alone
    assert all(
        alone.index(batch) % world_size == rank for rank, batches in enumerate(by_rank) for batch in batches if batch
    )


@quick
@given(sizes, batch_sizes, world_sizes, st.data())
def test_weighted_processes_together_draw_what_one_draws(
    num_videos: int, batch_size: int, world_size: int, data: st.DataObject
) -> None:
    weights = data.draw(st.lists(st.floats(0.01, 100), min_size=num_videos, max_size=num_videos))
    if num_videos < batch_size * world_size:
        return
    by_rank = [
        list(TrainBatches(num_videos, batch_size, seed=3, weights=weights, rank=rank, world_size=world_size))
        for rank in range(world_size)
    ]
    together = [[key for batches in by_rank for key in batches[k]] for k in range(len(by_rank[0]))]
    assert together == list(TrainBatches(num_videos, batch_size * world_size, seed=3, weights=weights))

"""Training batches that can go on from any position."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from vidcls.errors import ConfigurationError
from vidcls.loading.clip_dataset import ClipKey
from vidcls.loading.samplers import TrainBatches
from vidcls.loading.sturdy_loader import SturdyLoader
from vidcls.loading.train_loader import TrainLoader
from vidcls.loading.worker_watch import WorkerWatch
from vidcls.types import Batch


class Keys(Dataset):
    """A sample is its own key."""

    def path_of(self, index: int) -> str:
        return str(index)

    def refuse(self, index: int, reason: str) -> None:
        raise AssertionError(f"video {index}: {reason}")

    def __getitem__(self, key: ClipKey) -> torch.Tensor:
        return torch.tensor(key)


def state(epoch: int, num_batches: int) -> dict[str, int]:
    """The state of a loader as :func:`loader` makes it."""
    position = {"epoch": epoch, "num_batches": num_batches, "num_batches_of_epoch": 3}
    return {**position, "seed": 4, "videos_per_step": 3, "num_repeats": 1}


def loader(*, batch_size: int = 3, seed: int = 4, world_size: int = 1) -> TrainLoader:
    batches = TrainBatches(10, batch_size, seed=seed, world_size=world_size)
    keys = Keys()
    plain: DataLoader[Batch] = DataLoader(keys, batch_sampler=batches)  # type: ignore[arg-type]
    return TrainLoader(SturdyLoader(plain, keys, batches, WorkerWatch(0, None)), batches)


def batches_of(train: TrainLoader, epoch: int) -> list[list[list[int]]]:
    train.set_epoch(epoch)
    return [batch.tolist() for batch in train]  # type: ignore[attr-defined]


def test_it_counts_the_batches_that_were_handed_out() -> None:
    train = loader()
    train.set_epoch(2)
    assert train.state_dict() == state(2, 0)
    passing = iter(train)
    next(passing)
    next(passing)
    assert train.state_dict() == state(2, 2)
    assert len(train) == 3


def test_it_goes_on_after_the_batches_of_a_state_and_then_from_the_start() -> None:
    whole = batches_of(loader(), 2)
    resumed = loader()
    resumed.load_state_dict(state(2, 1))
    assert batches_of(resumed, 2) == whole[1:]
    assert resumed.state_dict() == state(2, 3)
    assert batches_of(resumed, 2) == whole
    assert len(resumed) == 3


def test_a_state_of_another_epoch_is_past() -> None:
    resumed = loader()
    resumed.load_state_dict(state(1, 3))
    assert batches_of(resumed, 2) == batches_of(loader(), 2)


def test_the_epoch_may_be_set_after_the_pass_was_begun() -> None:
    """A trainer asks for the iterator first and sets the epoch then."""
    resumed = loader()
    resumed.load_state_dict(state(2, 1))
    passing = iter(resumed)
    resumed.set_epoch(2)
    assert [batch.tolist() for batch in passing] == batches_of(loader(), 2)[1:]  # type: ignore[attr-defined]


def test_a_pass_that_was_left_early_does_not_move_the_next_one() -> None:
    train = loader()
    next(iter(train))
    assert batches_of(train, 1) == batches_of(loader(), 1)


def test_a_position_within_an_epoch_means_nothing_for_batches_of_another_size() -> None:
    for other in (loader(batch_size=2), loader(world_size=2)):
        with pytest.raises(ConfigurationError, match=r"within an epoch of 3 videos a step.*--data.batch_size"):
            other.load_state_dict(state(2, 1))
        other.load_state_dict(state(2, 3))  # at the end of an epoch any size may go on
    loader(batch_size=1, world_size=3).load_state_dict(state(2, 1))


def test_a_checkpoint_from_before_there_were_repeats_goes_on() -> None:
    resumed = loader()
    resumed.load_state_dict({name: value for name, value in state(2, 1).items() if name != "num_repeats"})
    assert batches_of(resumed, 2) == batches_of(loader(), 2)[1:]


def test_a_loader_that_is_dropped_is_gone_at_once() -> None:
    """Left to the garbage collector, its workers would end seconds later."""
    train = loader()
    next(iter(train))
    dropped = weakref.ref(train)
    gc.disable()
    try:
        del train
        assert dropped() is None
    finally:
        gc.enable()


def test_another_seed_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"trained with seed 4, now it is 5.*--seed_everything"):
        loader(seed=5).load_state_dict(state(2, 3))

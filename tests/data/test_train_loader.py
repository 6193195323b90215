"""Training batches that can go on from any position."""

from __future__ import annotations

import torch
from torch.utils.data import DataLoader, Dataset

from vidcls.data.clip_dataset import ClipKey
from vidcls.data.samplers import TrainBatches
from vidcls.data.train_loader import TrainLoader


class Keys(Dataset):
    """A sample is its own key."""

    def __getitem__(self, key: ClipKey) -> torch.Tensor:
        return torch.tensor(key)


def loader() -> TrainLoader:
    batches = TrainBatches(10, 3, seed=4)
    return TrainLoader(DataLoader(Keys(), batch_sampler=batches), batches)  # type: ignore[arg-type]


def batches_of(train: TrainLoader, epoch: int) -> list[list[list[int]]]:
    train.set_epoch(epoch)
    return [batch.tolist() for batch in train]  # type: ignore[attr-defined]


def test_it_counts_the_batches_that_were_handed_out() -> None:
    train = loader()
    train.set_epoch(2)
    assert train.state_dict() == {"epoch": 2, "num_batches": 0}
    passing = iter(train)
    next(passing)
    next(passing)
    assert train.state_dict() == {"epoch": 2, "num_batches": 2}
    assert len(train) == 3


def test_it_goes_on_after_the_batches_of_a_state_and_then_from_the_start() -> None:
    whole = batches_of(loader(), 2)
    resumed = loader()
    resumed.load_state_dict({"epoch": 2, "num_batches": 1})
    assert batches_of(resumed, 2) == whole[1:]
    assert resumed.state_dict() == {"epoch": 2, "num_batches": 3}
    assert batches_of(resumed, 2) == whole
    assert len(resumed) == 3


def test_a_state_of_another_epoch_is_past() -> None:
    resumed = loader()
    resumed.load_state_dict({"epoch": 1, "num_batches": 3})
    assert batches_of(resumed, 2) == batches_of(loader(), 2)


def test_the_epoch_may_be_set_after_the_pass_was_begun() -> None:
    """A trainer asks for the iterator first and sets the epoch then."""
    resumed = loader()
    resumed.load_state_dict({"epoch": 2, "num_batches": 1})
    passing = iter(resumed)
    resumed.set_epoch(2)
    assert [batch.tolist() for batch in passing] == batches_of(loader(), 2)[1:]  # type: ignore[attr-defined]


def test_a_pass_that_was_left_early_does_not_move_the_next_one() -> None:
    train = loader()
    next(iter(train))
    assert batches_of(train, 1) == batches_of(loader(), 1)

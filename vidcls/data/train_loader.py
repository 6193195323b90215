"""Training batches, epoch by epoch, that can go on from any batch."""

from __future__ import annotations

from collections.abc import Iterator

from torch.utils.data import DataLoader

from vidcls.data.samplers import TrainBatches
from vidcls.types import Batch


class TrainLoader:
    """A data loader that knows how many batches of the epoch were handed out, and goes on after them when resumed.

    Lightning sets the epoch on ``sampler`` before each pass and keeps ``state_dict`` in its checkpoints. The workers
    start with the first batch, not before, so that they know the epoch.

    Args:
        loader: a data loader over ``batches``.
        batches: its batch sampler.
    """

    def __init__(self, loader: DataLoader[Batch], batches: TrainBatches) -> None:
        self.loader = loader
        self.sampler = self
        self._batches = batches
        self._handed_out = 0
        self._resume: tuple[int, int] | None = None  # epoch and batch to go on from

    def set_epoch(self, epoch: int) -> None:
        """The epoch of the next pass."""
        self._batches.epoch = epoch

    def __len__(self) -> int:
        """Batches of a whole epoch."""
        return len(self._batches)

    def __iter__(self) -> Iterator[Batch]:
        epoch, start = self._resume or (None, 0)
        self._resume = None
        self._batches.start_batch = start if epoch == self._batches.epoch else 0
        self._handed_out = self._batches.start_batch
        for batch in self.loader:
            self._handed_out += 1
            yield batch

    def close(self) -> None:
        """End the worker processes; the next pass starts new ones.

        Left to the garbage collector, each of them is waited for during 5 seconds.
        """
        self.loader._iterator = None

    def state_dict(self) -> dict[str, int]:
        """Epoch and number of batches handed out in it."""
        return {"epoch": self._batches.epoch, "num_batches": self._handed_out}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on after the batches that ``state`` counts."""
        self._resume = (state["epoch"], state["num_batches"])
        self._batches.epoch = state["epoch"]
        self._handed_out = state["num_batches"]

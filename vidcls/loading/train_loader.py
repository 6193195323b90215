"""Training batches, epoch by epoch, that can go on from any batch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import count

from vidcls.errors import ConfigurationError
from vidcls.loading.samplers import TrainBatches
from vidcls.loading.sturdy_loader import SturdyLoader
from vidcls.types import Batch


class TrainLoader:
    """A data loader that knows how many batches of the epoch were handed out, and goes on after them when resumed.

    Lightning sets the epoch on ``sampler`` before each pass and keeps ``state_dict`` in its checkpoints. The workers
    start with the first batch, not before, so that they know the epoch.

    Args:
        loader: a data loader over ``batches``.
        batches: its batch sampler.
    """

    def __init__(self, loader: SturdyLoader, batches: TrainBatches) -> None:
        self.loader = loader
        if not batches.is_fixed:  # a loader with a data set would be given another order by Lightning
            self.dataset = loader.loader.dataset
            """The videos, by whose number a batch size finder knows where to stop."""
        self._batches = batches
        self._handed_out = 0
        self.waited_seconds = 0.0
        """How long batches were waited for so far, but for the first of each pass, for which workers are started."""
        self._resume: tuple[int, int] | None = None  # epoch and batch to go on from

    @property
    def sampler(self) -> TrainLoader:
        """Itself, whom Lightning tells the epoch; an attribute would be a cycle, and its workers end late."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """The epoch of the next pass."""
        self._batches.epoch = epoch

    def __len__(self) -> int:
        """Batches of a whole epoch."""
        return len(self._batches)

    def __iter__(self) -> Iterator[Batch]:
        epoch, start = self._resume or (None, 0)
        self._resume = None
        self._handed_out = start if epoch == self._batches.epoch else 0
        batches = self.loader.batches_from(self._handed_out)
        for number in count():
            started = time.monotonic()
            batch = next(batches, None)
            if batch is None:
                return
            if number > 0:
                self.waited_seconds += time.monotonic() - started
            self._handed_out += 1
            yield batch

    def close(self) -> None:
        """End the worker processes; the next pass starts new ones."""
        self.loader.close()

    def state_dict(self) -> dict[str, int]:
        """Epoch, number of batches handed out in it, and what the videos in them depend on."""
        return {
            "epoch": self._batches.epoch,
            "num_batches": self._handed_out,
            "num_batches_of_epoch": len(self),
            "seed": self._batches.seed,
            "videos_per_step": self._batches.videos_per_step,
            "num_repeats": self._batches.num_repeats,
        }

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on after the batches that ``state`` counts.

        Raises:
            ConfigurationError: other clips would follow than in the training that made ``state``.
        """
        seed, videos_per_step = self._batches.seed, self._batches.videos_per_step
        if state["seed"] != seed:
            raise ConfigurationError(
                f"the checkpoint was trained with seed {state['seed']}, now it is {seed}: "
                "other clips would follow; pass the same --seed_everything"
            )
        is_within_epoch = 0 < state["num_batches"] < state["num_batches_of_epoch"]
        if is_within_epoch and state["videos_per_step"] != videos_per_step:
            raise ConfigurationError(
                f"the checkpoint stands within an epoch of {state['videos_per_step']} videos a step, now it is "
                f"{videos_per_step}: keep --data.batch_size and the number of processes until the epoch ends"
            )
        num_repeats = state.get("num_repeats", 1)
        if is_within_epoch and num_repeats != self._batches.num_repeats:
            raise ConfigurationError(
                f"the checkpoint stands within an epoch of {num_repeats} clips of each video, now it is "
                f"{self._batches.num_repeats}: keep --data.num_repeats until the epoch ends"
            )
        self._resume = (state["epoch"], state["num_batches"])
        self._batches.epoch = state["epoch"]
        self._handed_out = state["num_batches"]

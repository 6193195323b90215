"""How fast clips are loaded and trained on -> how long a training waits for its data."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

MOST_SECONDS = 2.0  # for the steps that are timed, beyond the first two
MOST_STEPS = 5


@dataclass(frozen=True, slots=True)
class StepSpeed:
    """How fast a network trains where it never waits.

    Args:
        clips_per_second: forwards and backwards, in batches.
        batch_size: of these.
        num_threads: of the processor that it had; 0 where a GPU does the work.
    """

    clips_per_second: float
    batch_size: int
    num_threads: int


@dataclass(frozen=True, slots=True)
class DataWait:
    """A training as it is expected to be, from two measurements.

    Loader workers have a processor core each. Where the network trains on the processor too, both share its cores: a
    clip then costs what it takes to load and to train on it, spread over all cores.

    Args:
        loaded_per_second: clips that one worker loads.
        step: how fast the network trains.
        num_workers: loader workers; 0 loads in the process that trains.
        num_cores: of the machine.
    """

    loaded_per_second: float
    step: StepSpeed
    num_workers: int
    num_cores: int

    @property
    def clips_per_second(self) -> float:
        """Of the training."""
        if self.num_workers == 0:
            return 1 / (1 / self.loaded_per_second + 1 / self.step.clips_per_second)
        rates = [self.step.clips_per_second, self.loaded_per_second * min(self.num_workers, self.num_cores)]
        if self.step.num_threads:
            core_seconds = 1 / self.loaded_per_second + self.step.num_threads / self.step.clips_per_second
            rates.append(max(1, self.num_cores) / core_seconds)
        return min(rates)

    @property
    def share(self) -> float:
        """Of the time in which the network waits, 0 to 1."""
        return 1 - self.clips_per_second / self.step.clips_per_second

    def epoch_seconds(self, num_clips: int) -> float:
        """Of an epoch of so many clips, without validation."""
        return num_clips / self.clips_per_second


def num_cores() -> int:
    """Those that this process may use, where the system says so."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def step_speed(network: nn.Module, streams: Mapping[str, Tensor], *, device: torch.device) -> StepSpeed:
    """Time training steps of a network, and leave it as it was.

    Args:
        network: takes the streams in this order and gives logits ``(B, K)``.
        streams: normalised clips by name, ``(B, C, T, H, W)``.
        device: where it trains.
    """
    before = {name: value.clone() for name, value in network.state_dict().items()}
    was_training, places = network.training, {parameter.device for parameter in network.parameters()}
    batch_size = len(next(iter(streams.values())))
    seconds: list[float] = []
    with torch.random.fork_rng():
        try:
            network.to(device).train()
            clips = [clip.to(device) for clip in streams.values()]
            labels = torch.zeros(batch_size, dtype=torch.long, device=device)

            def step() -> None:
                logits = network(*clips)
                nn.functional.cross_entropy(logits.float(), labels).backward()

            step()
            while not seconds or (sum(seconds) < MOST_SECONDS and len(seconds) < MOST_STEPS):
                seconds.append(_timed(step, device))
        finally:
            network.zero_grad(set_to_none=True)
            network.load_state_dict(before)
            network.to(next(iter(places), device)).train(was_training)
    num_threads = 0 if device.type != "cpu" else torch.get_num_threads()
    return StepSpeed(batch_size / sorted(seconds)[len(seconds) // 2], batch_size, num_threads)


def _timed(call: Callable[[], None], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started

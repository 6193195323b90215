"""A checkpoint -> what its model costs: parameters, multiply-adds, latency, throughput and memory.

Measured on synthetic clips of the shape that the model was trained with, in a process of its own: decoding, optical
flow and the moving of clips to the device are not in it. The program of that process is ``main``.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vidcls.compare.memory import CpuMemory, GpuMemory
from vidcls.errors import ConfigurationError
from vidcls.trusted_classes import allow_classes, allowed_classes, look_in_current_folder

if TYPE_CHECKING:
    import torch

    from vidcls.models import VideoClassifier
    from vidcls.types import Batch

Device = Literal["cpu", "cuda"]
NUM_WARM_UPS = 3
MIN_REPETITIONS, MAX_REPETITIONS = 5, 100
MAX_SECONDS = 2.0  # for each of the three timings, beyond the least number of repetitions
MIB = 2**20


@dataclass(frozen=True)
class CostRequest:
    """What is to be measured, and how.

    Args:
        checkpoint: a file of vidcls.
        device: ``cpu`` or ``cuda``.
        precision: as the trainer calls it; ``bf16-mixed`` and ``16-mixed`` are measured under autocast, all others in
            float32.
        batch_size: clips in a batch of the two throughputs and of the training memory.
    """

    checkpoint: str
    device: Device
    precision: str
    batch_size: int


@dataclass(frozen=True)
class Cost:
    """What was measured.

    Args:
        num_parameters: trained and frozen ones.
        num_multiply_adds: for one clip.
        latency_seconds: of one clip, once for each repetition.
        inference_seconds: of one batch without gradients.
        training_seconds: of one batch forwards, backwards and through the optimiser.
        training_peak_bytes: memory of a training step with weights, gradients and optimiser: what the GPU had
            allocated, or by how much the process grew; None where the system does not say.
        clip_shapes: of each stream, such as ``rgb: (1, 3, 16, 64, 64)``.
        num_threads: of the CPU.
    """

    num_parameters: int
    num_multiply_adds: int
    latency_seconds: list[float]
    inference_seconds: list[float]
    training_seconds: list[float]
    training_peak_bytes: int | None
    clip_shapes: dict[str, list[int]]
    num_threads: int


Measure = Callable[[CostRequest], Cost]


def joined(costs: Sequence[Cost]) -> Cost:
    """Several measurements of one model: all their times, and the greatest memory."""
    first = costs[0]
    peaks = [cost.training_peak_bytes for cost in costs if cost.training_peak_bytes is not None]
    return Cost(
        num_parameters=first.num_parameters,
        num_multiply_adds=first.num_multiply_adds,
        latency_seconds=[seconds for cost in costs for seconds in cost.latency_seconds],
        inference_seconds=[seconds for cost in costs for seconds in cost.inference_seconds],
        training_seconds=[seconds for cost in costs for seconds in cost.training_seconds],
        training_peak_bytes=max(peaks, default=None),
        clip_shapes=first.clip_shapes,
        num_threads=first.num_threads,
    )


def measure_in_process(request: CostRequest) -> Cost:
    """Measure in a process of its own, so that memory and thread pools of one model are not those of another.

    Raises:
        ConfigurationError: the process failed; its last line.
    """
    program = [sys.executable, "-P", "-m", __name__, json.dumps(asdict(request)), *allowed_classes()]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise ConfigurationError(lines[-1] if lines else f"measuring ended with status {done.returncode}")
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def measure(request: CostRequest) -> Cost:
    """Measure in this process; see :class:`Cost`."""
    from vidcls.errors import EnsembleFileError
    from vidcls.models import load_classifier
    from vidcls.models.build import build_classifier
    from vidcls.models.ensemble_file import read_ensemble

    try:
        return _measure(load_classifier(request.checkpoint), request)
    except EnsembleFileError:
        _, members = read_ensemble(Path(request.checkpoint))
        return one_after_the_other([_measure(build_classifier(facts), request) for facts in members])


def one_after_the_other(costs: Sequence[Cost]) -> Cost:
    """What it costs to run several networks in turn, of which one at a time is trained."""
    peaks = [cost.training_peak_bytes for cost in costs if cost.training_peak_bytes is not None]

    def summed(times: Sequence[Sequence[float]]) -> list[float]:
        return [sum(each) for each in zip(*times, strict=False)]

    return Cost(
        num_parameters=sum(cost.num_parameters for cost in costs),
        num_multiply_adds=sum(cost.num_multiply_adds for cost in costs),
        latency_seconds=summed([cost.latency_seconds for cost in costs]),
        inference_seconds=summed([cost.inference_seconds for cost in costs]),
        training_seconds=summed([cost.training_seconds for cost in costs]),
        training_peak_bytes=max(peaks, default=None),
        clip_shapes={
            f"{number}.{name}": shape
            for number, cost in enumerate(costs, start=1)
            for name, shape in cost.clip_shapes.items()
        },
        num_threads=costs[0].num_threads,
    )


def _measure(model: VideoClassifier, request: CostRequest) -> Cost:
    import torch

    from vidcls.layers.layer_table import num_multiply_adds, num_parameters
    from vidcls.models.input_shapes import input_shapes, sound_seconds_of
    from vidcls.training.optimization import build_optimizer

    device = torch.device(request.device)
    torch.ones(64, 64, device=device) @ torch.ones(64, 64, device=device)  # its threads and libraries count as there
    memory = GpuMemory() if device.type == "cuda" else CpuMemory()
    shapes = input_shapes(
        model.streams, model.clip, _crop_px(model), sound_seconds=sound_seconds_of(model.input_settings)
    )
    work = num_multiply_adds(model, *shapes)
    model.to(device)
    batch = _made_up(model, shapes, request.batch_size, device)

    model.train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = build_optimizer(trained, model.optimization)

    def train() -> None:
        optimizer.zero_grad()
        with _autocast(request):
            loss = model.training_step(batch, 0)
        loss.backward()
        optimizer.step()

    train()
    train()  # the optimiser has its moments only after the first step
    peak_bytes = memory.grown_by()
    training_seconds = _timed(train, device)
    model.eval()
    clips = list(batch["streams"].values())
    clip = [stream[:1] for stream in clips]
    with torch.inference_mode(), _autocast(request):
        inference_seconds = _timed(lambda: model(*clips), device)
        latency_seconds = _timed(lambda: model(*clip), device)
    return Cost(
        num_parameters=num_parameters(model),
        num_multiply_adds=work,
        latency_seconds=latency_seconds,
        inference_seconds=inference_seconds,
        training_seconds=training_seconds,
        training_peak_bytes=peak_bytes,
        clip_shapes={stream.name: list(shape) for stream, shape in zip(model.streams, shapes, strict=True)},
        num_threads=torch.get_num_threads(),
    )


def per_second(seconds: Sequence[float], batch_size: int) -> float:
    """Clips per second from the times of batches, by their median."""
    return batch_size / statistics.median(seconds)


def main(argv: Sequence[str]) -> int:
    """Print the cost of a :class:`CostRequest`, both as JSON; behind it, the packages whose classes are allowed."""
    from vidcls.errors import VidclsError

    allow_classes(argv[1:])
    look_in_current_folder()
    warnings.filterwarnings("ignore")
    try:
        cost = measure(CostRequest(**json.loads(argv[0])))
    except (VidclsError, RuntimeError) as error:  # no checkpoint, no memory left, no such device
        print(" ".join(str(error).split()), file=sys.stderr)
        return 2
    print(json.dumps(asdict(cost)))
    return 0


def _crop_px(model: VideoClassifier) -> int | Sequence[int]:
    transform = (model.input_settings or {}).get("transform")
    if not isinstance(transform, dict):
        raise ConfigurationError("the checkpoint does not say how large its pictures are: it cannot be measured")
    crop_px = transform["crop_px"]
    assert isinstance(crop_px, int | list | tuple)
    return crop_px


def _made_up(model: VideoClassifier, shapes: Sequence[Sequence[int]], batch_size: int, device: torch.device) -> Batch:
    """Random clips with random labels."""
    import torch

    from vidcls.types import Batch

    generator = torch.Generator().manual_seed(0)
    batch = Batch(
        label=model.task.random_targets(batch_size, generator).to(device),
        index=torch.arange(batch_size, device=device),
    )
    batch["streams"] = {}
    for stream, shape in zip(model.streams, shapes, strict=True):
        batch["streams"][stream.name] = torch.randn(batch_size, *shape[1:], generator=generator).to(device)
    return batch


def _autocast(request: CostRequest) -> AbstractContextManager[object]:
    import torch

    dtypes = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
    if request.precision not in dtypes:
        return nullcontext()
    return torch.autocast(request.device, dtypes[request.precision])


def _timed(call: Callable[[], object], device: torch.device) -> list[float]:
    """Seconds of repeated calls."""
    import torch

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize()

    for _ in range(NUM_WARM_UPS):
        call()
    seconds: list[float] = []
    while len(seconds) < MIN_REPETITIONS or (sum(seconds) < MAX_SECONDS and len(seconds) < MAX_REPETITIONS):
        wait()
        started = time.perf_counter()
        call()
        wait()
        seconds.append(time.perf_counter() - started)
    return seconds


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What does our training step cost beside a bare loop over the same model: clips a second, and the share of the loader?

The same batch is given again and again, so that nothing is loaded. Bare: forward, cross entropy, backward, a step of
torch's AdamW as it is by default, and no more. Ours: Lightning's trainer with callbacks of ``vidcls fit``, its csv log,
metrics and schedule, and AdamW as we make it: on a CPU in one kernel. A second bare loop has that AdamW too, which
tells the trainer's share from the optimiser's. The loops alternate step by step, and the ratios of neighbours count: a
slow second of the machine meets all.
Usage: python benchmarks/training_step.py [--quick] [--models conv3d ...] [--frames 16 --size 64] [--output FILE.json]
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import LearningRateMonitor
from measuring import Measured, keep_freed_memory, paired, parser, ratio, report
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from vidcls.callbacks import MetricsLog, RunFacts, SkippedVideos
from vidcls.flow import FlowMethod, FlowSettings
from vidcls.inference.network_input import flow_between
from vidcls.models import (
    TSM,
    X3D,
    Conv3D,
    EarlyFusion,
    LateFusion,
    MoViNet,
    RecurrentConv,
    SingleFrame,
    SlowFast,
    SlowFusion,
    TwoStream,
    TwoStreamFusion,
)
from vidcls.models.classifier import VideoClassifier
from vidcls.models.input_shapes import input_shapes
from vidcls.training.optimization import OptimizationSettings, build_optimizer
from vidcls.types import Batch, ClipSettings, Stream

Now = Callable[[], float]
CLASSES = [f"class {k}" for k in range(10)]
OPTIMIZATION = OptimizationSettings(optimizer="adamw", lr=1e-3)


def models(clip: ClipSettings, backbone: str, backbone_3d: str) -> dict[str, Callable[[], VideoClassifier]]:
    common = {"class_names": CLASSES, "clip": clip, "optimization": OPTIMIZATION}
    return {
        "single_frame": lambda: SingleFrame(backbone=backbone, **common),  # type: ignore[arg-type]
        "late_fusion": lambda: LateFusion(backbone=backbone, **common),  # type: ignore[arg-type]
        "early_fusion": lambda: EarlyFusion(backbone=backbone, **common),  # type: ignore[arg-type]
        "slow_fusion": lambda: SlowFusion(backbone=backbone, extents=[2, 2, 2], **common),  # type: ignore[arg-type]
        "conv3d": lambda: Conv3D(backbone=backbone_3d, **common),  # type: ignore[arg-type]
        "recurrent_conv": lambda: RecurrentConv(backbone=backbone, **common),  # type: ignore[arg-type]
        "tsm": lambda: TSM(backbone=backbone, **common),  # type: ignore[arg-type]
        "slowfast": lambda: SlowFast(depth=14, width=16, **common),  # type: ignore[arg-type]
        "movinet": lambda: MoViNet(form="tiny", causal=True, **common),  # type: ignore[arg-type]
        "x3d": lambda: X3D(form="tiny", **common),  # type: ignore[arg-type]
        "two_stream": lambda: TwoStream(spatial=backbone, temporal=backbone, **common),  # type: ignore[arg-type]
        "two_stream_fusion": lambda: TwoStreamFusion(spatial=backbone, temporal=backbone, **common),  # type: ignore[arg-type]
    }


class SameBatch(Dataset[Batch]):
    """One batch, again and again."""

    def __init__(self, batch: Batch, num_steps: int) -> None:
        self.batch, self.num_steps = batch, num_steps

    def __len__(self) -> int:
        return self.num_steps

    def __getitem__(self, index: int) -> Batch:
        return self.batch


def size_options(arguments: argparse.ArgumentParser) -> argparse.Namespace:
    """What is measured, and on what; ``--quick`` takes the smallest."""
    arguments.add_argument("--frames", type=int, default=8)
    arguments.add_argument("--size", type=int, default=64)
    arguments.add_argument("--batch-size", type=int, default=8)
    arguments.add_argument("--backbone", default="resnet18")
    arguments.add_argument("--backbone-3d", default="r3d_18")
    arguments.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the CPU")
    arguments.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    arguments.add_argument("--cpu-time", action="store_true", help="seconds of the CPU: for a busy machine, one thread")
    options = arguments.parse_args()
    if options.cpu_time and (options.threads != 1 or options.device != "cpu"):
        arguments.error("--cpu-time counts all threads together: pass --threads 1 and the CPU")
    torch.set_num_threads(options.threads)
    if options.quick:
        options.backbone, options.backbone_3d, options.size, options.batch_size = "small", "small_3d", 32, 2
    return options


def made_up(streams: tuple[Stream, ...], clip: ClipSettings, size: int, batch_size: int, device: torch.device) -> Batch:
    generator = torch.Generator().manual_seed(0)
    label = torch.randint(10, (batch_size,), generator=generator)
    shapes = input_shapes(streams, clip, size, num_clips=batch_size)
    return Batch(
        streams={s.name: torch.randn(n, generator=generator).to(device) for s, n in zip(streams, shapes, strict=True)},
        label=label.to(device),
        index=torch.arange(batch_size, device=device),
    )


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


class Bare:
    """Seconds of a step of a plain loop; ``fused``: of one with AdamW in one kernel."""

    now: Now = staticmethod(time.perf_counter)

    def __init__(
        self, model: VideoClassifier, batch: Batch, num_steps: int, device: torch.device, *, fused: bool = False
    ) -> None:
        self.model, self.batch, self.num_steps, self.device = model.to(device).train(), batch, num_steps, device
        self.optimizer = build_optimizer(list(model.parameters()), OPTIMIZATION, fused=fused)

    def step(self) -> None:
        self.optimizer.zero_grad()
        streams = list(self.batch["streams"].values())
        if isinstance(self.model, TwoStream):  # each of its streams has a loss of its own
            parts = self.model.forward_parts(*streams)
            loss = torch.stack([F.cross_entropy(logits, self.batch["label"]) for logits in parts.values()]).sum()
        else:
            loss = F.cross_entropy(self.model(*streams), self.batch["label"])
        loss.backward()
        self.optimizer.step()

    def measure(self) -> float:
        self.step()
        wait(self.device)
        start = self.now()
        for _ in range(self.num_steps):
            self.step()
        wait(self.device)
        return (self.now() - start) / self.num_steps


class WithFlow(Bare):
    """The same of a two-stream network whose flow is estimated in the step, from frames in the batch."""

    def __init__(
        self, model: VideoClassifier, batch: Batch, num_steps: int, device: torch.device, settings: FlowSettings
    ) -> None:
        super().__init__(model, {**batch, "streams": dict(batch["streams"])}, num_steps, device)
        self.settings = settings
        B, _, F, H, W = batch["streams"]["flow"].shape
        still = torch.randint(256, (B, 3, 1, H // 4, W // 4), generator=torch.Generator().manual_seed(0))
        still = still.repeat_interleave(4, dim=-1).repeat_interleave(4, dim=-2).to(torch.uint8).to(device)
        self.pairs = torch.cat([still.roll(k % 2, dims=-1) for k in range(2 * F)], dim=2)  # (B, 3, 2F, H, W)

    def step(self) -> None:
        self.batch["streams"]["flow"] = flow_between(self.pairs, self.settings)
        super().step()


class ByTurns(RunFacts):
    """The facts of a run; and a step of each bare loop after each of ours, so that all meet the same machine.

    A step of ours lasts from the end of the bare one before it to the end of its own last callback: all that a trainer
    does between two steps is in it.
    """

    now: Now = staticmethod(time.perf_counter)

    def __init__(self, folder: Path, bare: list[Bare]) -> None:
        super().__init__(folder)
        self.bare = bare
        self.seconds: list[list[float]] = [[] for _ in range(1 + len(bare))]
        self._last_end: float | None = None

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: object, outputs: object, batch: Batch, batch_idx: int
    ) -> None:
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)  # type: ignore[arg-type]
        wait(self.bare[0].device)
        ends = [self.now()]
        for loop in self.bare:
            loop.step()
            wait(loop.device)
            ends.append(self.now())
        if self._last_end is not None:  # not the first, which makes the optimisers' memory
            for found, start, end in zip(self.seconds, [self._last_end, *ends], ends, strict=False):
                found.append(end - start)
        self._last_end = ends[-1]


def by_turns(bare: list[Bare], model: VideoClassifier, num_steps: int) -> list[Measured]:
    """Seconds of each step of ours, and of those of the bare loops after it."""
    with tempfile.TemporaryDirectory() as folder:
        clock = ByTurns(Path(folder), bare)
        train(model, bare[0].batch, num_steps + 1, clock)
        return [Measured(found) for found in clock.seconds]


def train(model: VideoClassifier, batch: Batch, num_steps: int, facts: RunFacts) -> None:
    """As ``vidcls fit`` does."""
    trainer = Trainer(
        max_epochs=1,
        accelerator="gpu" if batch["label"].device.type == "cuda" else "cpu",
        devices=1,
        logger=MetricsLog(facts.run),
        callbacks=[SkippedVideos(), LearningRateMonitor("step"), facts],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=facts.run,
    )
    trainer.fit(model, DataLoader(SameBatch(batch, num_steps), batch_size=None))


def peak_memory(make: Callable[[], VideoClassifier], batch: Batch) -> float:
    """MiB of a step of our training alone, with its model and optimiser."""
    gc.collect()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    with tempfile.TemporaryDirectory() as folder:
        train(make(), batch, 2, RunFacts(Path(folder)))
    return (torch.cuda.max_memory_allocated() - before) / 2**20


def flow_in_the_step(
    make: Callable[[], VideoClassifier], batch: Batch, num_steps: int, device: torch.device, methods: list[FlowMethod]
) -> None:
    """What flow costs that is estimated in the training step of a two-stream network."""
    jobs: dict[str, Callable[[], float]] = {"given": Bare(make(), batch, num_steps, device).measure}
    for method in methods:
        jobs[method] = WithFlow(make(), batch, num_steps, device, FlowSettings(method=method)).measure
    found = paired(jobs, rounds=1 if num_steps == 1 else 5)
    num_pairs = len(batch["label"]) * batch["streams"]["flow"].shape[2]
    rows: list[tuple[object, ...]] = [("given by the loader", 1e3 * found["given"].median, 1.0, "-")]
    for method in methods:
        more = max(1e-4, found[method].median - found["given"].median)  # less cannot be told from nothing
        rows.append(
            (
                f"{method}, in the step",
                1e3 * found[method].median,
                ratio(found[method], found["given"]),
                num_pairs / more,
            )
        )
    size = "x".join(map(str, batch["streams"]["flow"].shape[-2:]))
    report(
        f"Flow in the step of two_stream: {num_pairs} pairs of {size} on {device}",
        ("flow", "ms a step", "x flow given", "pairs/s"),
        rows,
        None,
    )


def quartiles(values: list[float]) -> list[float]:
    return statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3


def main() -> None:
    keep_freed_memory()
    arguments = parser(__doc__)
    arguments.add_argument("--flow-methods", nargs="*", default=["tvl1"], help="whose cost in the step is measured")
    arguments.add_argument("--models", nargs="+", help="some of the models (default: all)")
    arguments.add_argument("--steps", type=int, default=60, help="of each model")
    options = size_options(arguments)
    if options.cpu_time:
        Bare.now = ByTurns.now = staticmethod(time.process_time)
    device = torch.device(options.device)
    num_steps = 1 if options.quick else options.steps
    clip = ClipSettings(clip_len=options.frames, flow_len=10)
    rows: list[tuple[object, ...]] = []
    details: dict[str, object] = {}
    for name, make in models(clip, options.backbone, options.backbone_3d).items():
        if options.models and name not in options.models:
            continue
        batch = made_up(make().streams, clip, options.size, options.batch_size, device)
        is_cpu = device.type == "cpu"
        loops = [
            Bare(make(), batch, num_steps, device, fused=fused) for fused in ([False, True] if is_cpu else [False])
        ]
        ours, *bare = by_turns(loops, make(), num_steps)
        memory = "-" if is_cpu else peak_memory(make, batch)
        rates = [options.batch_size / found.median for found in (bare[0], ours)]
        alike = bare[-1]  # the loop with our optimiser
        low, _, high = quartiles([100 * (a / b - 1) for a, b in zip(ours.values, alike.values, strict=True)])
        shares = [100 * (ratio(ours, found) - 1) for found in (bare[0], alike)]
        milliseconds = statistics.median(1e3 * (a - b) for a, b in zip(ours.values, alike.values, strict=True))
        rows.append(
            (name, *rates, *(f"{s:+.1f} %" for s in shares), f"{low:+.1f} to {high:+.1f} %", milliseconds, memory)
        )
        print(f"{name}: {shares[0]:+.1f} %, {shares[1]:+.1f} % with our optimiser", file=sys.stderr)
        details[name] = {"ours": ours.values, "bare": [found.values for found in bare]}
        if name == "two_stream" and options.flow_methods:
            flow_in_the_step(make, batch, max(1, num_steps // 5), device, options.flow_methods)
    title = (
        f"Training step of {options.batch_size} clips of {options.frames}x{options.size}x{options.size} "
        f"({options.backbone}, {options.backbone_3d}) on {options.device}"
    )
    columns = ("model", "bare loop, clips/s", "ours, clips/s", "time of ours over bare", "with our optimiser")
    columns += ("middle half of the steps", "ms more a step", "peak memory MiB")
    report(title, columns, rows, options.output, details=details)


if __name__ == "__main__":
    main()

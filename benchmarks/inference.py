"""How long does one clip take, and how many clips a second go through, for each model on the CPU or a GPU?

Synthetic clips on the device, evaluation mode, no decoding.
Usage: python benchmarks/inference.py [--quick] [--frames 16 --size 112] [--device cuda] [--output FILE.json]
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from measuring import paired, parser, report
from training_step import made_up, models, size_options, wait

from vidcls.layers.layer_table import num_parameters
from vidcls.models import VideoClassifier
from vidcls.types import ClipSettings


def seconds(model: VideoClassifier, streams: list[torch.Tensor], device: torch.device, num: int) -> Callable[[], float]:
    @torch.inference_mode()
    def measure() -> float:
        model(*streams)
        wait(device)
        start = time.perf_counter()
        for _ in range(num):
            model(*streams)
        wait(device)
        return (time.perf_counter() - start) / num

    return measure


def main() -> None:
    arguments = parser(__doc__)
    options = size_options(arguments)
    device, num, rounds = torch.device(options.device), *((1, 1) if options.quick else (4, 5))
    clip = ClipSettings(clip_len=options.frames, flow_len=10)
    jobs: dict[str, Callable[[], float]] = {}
    sizes: dict[str, int] = {}
    for name, make in models(clip, options.backbone, options.backbone_3d).items():
        model = make().to(device).eval()
        sizes[name] = num_parameters(model)
        batch = made_up(model.streams, clip, options.size, options.batch_size, device)
        streams = list(batch["streams"].values())
        jobs[f"{name}|one"] = seconds(model, [stream[:1] for stream in streams], device, num)
        jobs[f"{name}|many"] = seconds(model, streams, device, num)
    found = paired(jobs, rounds=rounds)
    rows = [
        (name, f"{size:,}", 1e3 * found[f"{name}|one"].median, options.batch_size / found[f"{name}|many"].median)
        for name, size in sizes.items()
    ]
    title = (
        f"Inference on clips of {options.frames}x{options.size}x{options.size} ({options.backbone}, "
        f"{options.backbone_3d}) on {options.device}"
    )
    columns = ("model", "parameters", "latency of one clip, ms", f"clips/s in batches of {options.batch_size}")
    report(title, columns, rows, options.output, details={name: one.values for name, one in found.items()})


if __name__ == "__main__":
    main()

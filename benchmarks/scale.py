"""What do so many videos take: storage, processors, network and money, from measured figures and stated prices?

Nothing is measured here: the figures are those of docs/performance.md and of the files that it names, for videos of 300
frames of 340x256, and each can be given as an option, as can the prices.
Usage: python benchmarks/scale.py [--videos 100e6] [--core_hour 0.04] [...]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class Inputs:
    """What is measured on one core, for one video, and what is paid."""

    videos: float = 100e6
    frames: float = 300  # of a video, 340x256, H.264
    video_mb: float = 0.407  # benchmarks/clips.py, a key frame every 250 frames
    field_kb: float = 16.0  # vidcls flow of the same clip, per field
    flow_ms: float = 223  # tvl1, per field; benchmarks/flow_methods.py
    fast_flow_ms: float = 6.5  # dis, per field; the same
    copy_mb: float = 1.50  # vidcls data prepare, short side 128
    copy_seconds: float = 0.383  # the same
    clip_ms: float = 32.8  # a training clip of 16 frames from the original, decord; benchmarks/decoders.py
    copy_clip_ms: float = 1.19  # the same from the copy
    feature_kb: float = 573  # 16 frames, 7 cells, 1,280 channels, twice (mirror image), float16: configs/probe.yaml
    feature_seconds: float = 0.535  # EfficientNet-Lite0 on 16 frames and their mirror image; benchmarks/features.py
    index_bytes: float = 65  # a row of the index; benchmarks/growth.py
    index_us: float = 5  # to set it up
    stat_us: float = 5  # to ask a local disk for size and date, each time that a video is read
    epochs: float = 30
    cores: float = 1000
    gbit: float = 100  # of the network, per second, all cores together
    core_hour: float = 0.04  # dollars
    gb_month: float = 0.023  # of an object store
    million_gets: float = 0.40
    million_puts: float = 5.00


def rows(inputs: Inputs) -> Iterator[tuple[str, str, str, str, str]]:
    """What, terabytes, core hours, days on the cores, and dollars."""
    n = inputs.videos
    num_fields = n * (inputs.frames - 1)
    stored = {
        "videos themselves": (n * inputs.video_mb / 1e6, 0.0, 0.0),
        "flow, tvl1": (num_fields * inputs.field_kb / 1e9, num_fields * inputs.flow_ms / 3.6e6, n),
        "flow, dis": (num_fields * inputs.field_kb / 1e9, num_fields * inputs.fast_flow_ms / 3.6e6, n),
        "training copy": (n * inputs.copy_mb / 1e6, n * inputs.copy_seconds / 3600, n),
        "features of frames": (n * inputs.feature_kb / 1e9, n * inputs.feature_seconds / 3600, n),
        "index": (n * inputs.index_bytes / 1e12, n * inputs.index_us / 3.6e9, 0.0),
    }
    for name, (terabytes, hours, puts) in stored.items():
        once = (
            hours * inputs.core_hour + puts / 1e6 * inputs.million_puts + (n / 1e6 * inputs.million_gets if puts else 0)
        )
        monthly = terabytes * 1000 * inputs.gb_month
        yield (
            name,
            f"{terabytes:,.3g}",
            f"{hours:,.3g}",
            f"{hours / inputs.cores / 24:,.3g}",
            f"{once:,.0f}; {monthly:,.0f}",
        )


def passes(inputs: Inputs) -> Iterator[tuple[str, str, str, str, str]]:
    """What one epoch reads, and what all of them cost beside the network that is trained."""
    n = inputs.videos
    kinds = {
        "originals": (inputs.video_mb, inputs.clip_ms),
        "training copy": (inputs.copy_mb, inputs.copy_clip_ms),
    }
    for name, (megabytes, milliseconds) in kinds.items():
        terabytes, hours = n * megabytes / 1e6, n * (milliseconds + inputs.stat_us / 1000) / 3.6e6
        wire = terabytes * 8000 / inputs.gbit / 3600
        dollars = inputs.epochs * (hours * inputs.core_hour + n / 1e6 * inputs.million_gets)
        yield name, f"{terabytes:,.3g}", f"{hours:,.3g}", f"{wire:,.3g}", f"{dollars:,.0f}"


def table(inputs: Inputs) -> str:
    """Both, as they stand in docs/scale.md."""
    once = [
        ("made once", "TB", "core hours", f"days on {inputs.cores:,.0f} cores", "$ once; $ a month of storage"),
        ("---", "---:", "---:", "---:", "---:"),
        *rows(inputs),
    ]
    epoch = [
        ("read in an epoch", "TB", "core hours", f"hours at {inputs.gbit:g} Gbit/s", f"$ in {inputs.epochs:g} epochs"),
        ("---", "---:", "---:", "---:", "---:"),
        *passes(inputs),
    ]
    return "\n\n".join("\n".join(f"| {' | '.join(row)} |" for row in part) for part in (once, epoch))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for field in fields(Inputs):
        parser.add_argument(f"--{field.name}", type=float, default=field.default, help=f"default: {field.default}")
    parser.add_argument("--quick", action="store_true", help="as all benchmarks have it; there is nothing to shorten")
    parser.add_argument("--output", type=Path, metavar="FILE.json", help="also write the inputs and the tables")
    options = parser.parse_args()
    inputs = Inputs(**{field.name: getattr(options, field.name) for field in fields(Inputs)})
    print(table(inputs))
    if options.output is not None:
        content = {"inputs": asdict(inputs), "made once": [*rows(inputs)], "read in an epoch": [*passes(inputs)]}
        options.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

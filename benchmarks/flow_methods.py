"""How exact and how fast is each flow method: end-point error on ground truth, and milliseconds per pair, one thread.

The tiny pair is timed as a video of 16 frames, its two frames alternately, since pairs of small images are computed
together.
The pairs: FlyingChairs (512x384) and a tiny one (50x50), where VIDCLS_REAL_DATA names the folder that has them, and a
synthetic turning and growing texture (340x256) whose motion is known. Usage:
python benchmarks/flow_methods.py [--quick] [--raft-weights FILE ...] [--output FILE.json]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from pathlib import Path

import cv2
import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.v2 import functional as V

from vidcls.errors import FlowError, MissingExtraError
from vidcls.flow.codec import dequantize, quantize
from vidcls.flow.estimators import METHODS, estimate
from vidcls.flow.fields import end_point_error
from vidcls.flow.middlebury import read_flo
from vidcls.flow.settings import FlowMethod

BOUND_PX = 20.0
SMALL_PX = 112  # of a width
MARGIN_PX = 16  # what enters or leaves the synthetic picture cannot be known

Pair = tuple[Tensor, Tensor]  # frames (2, 3, H, W) uint8 and truth (2, H, W) px


def turning_texture(height: int = 256, width: int = 340) -> Pair:
    """A smooth texture that turns by 0.6 degrees, grows by 1 % and moves by (1.5, -0.8) px about its centre."""
    generator = torch.Generator().manual_seed(0)
    octaves = [torch.rand(1, 3, height // g, width // g, generator=generator) for g in (4, 8, 16)]
    image = sum(F.interpolate(o, size=(height, width), mode="bicubic", align_corners=False) for o in octaves) / 3

    y, x = torch.meshgrid(torch.arange(height) - height / 2, torch.arange(width) - width / 2, indexing="ij")
    angle, growth, shift = math.radians(0.6), 1.01, (1.5, -0.8)
    cos, sin = growth * math.cos(angle), growth * math.sin(angle)
    truth = torch.stack([cos * x - sin * y + shift[0] - x, sin * x + cos * y + shift[1] - y])  # (2, H, W)

    # The second frame shows at p what the first showed where p came from.
    dx, dy, norm = x - shift[0], y - shift[1], cos * cos + sin * sin
    from_x, from_y = (cos * dx + sin * dy) / norm, (cos * dy - sin * dx) / norm
    grid = torch.stack([(2 * from_x + 1) / width, (2 * from_y + 1) / height], dim=-1)[None]
    moved = F.grid_sample(image, grid, mode="bicubic", padding_mode="border", align_corners=False)
    frames = (torch.cat([image, moved]).clamp(0, 1) * 255).round().to(torch.uint8)
    return frames, truth


def ground_truth(folder: Path) -> Pair:
    images = [cv2.cvtColor(cv2.imread(str(folder / f"00001_img{i}.ppm")), cv2.COLOR_BGR2RGB) for i in (1, 2)]
    frames = torch.stack([torch.from_numpy(image).permute(2, 0, 1) for image in images])
    return frames, read_flo(folder / "00001_flow.flo")


def pairs(*, quick: bool) -> dict[str, Pair]:
    frames, truth = turning_texture()
    found = {"synthetic": (frames, truth)}
    if root := os.environ.get("VIDCLS_REAL_DATA"):
        found |= {name: ground_truth(Path(root, "flow", name)) for name in ("chairs", "tiny")}
    if quick:
        found["synthetic"] = (V.center_crop(frames, [128, 170]), V.center_crop(truth, [128, 170]))
    return found


def measure(method: FlowMethod, weights: str | None, found: dict[str, Pair], *, repeats: int) -> dict[str, float]:
    row: dict[str, float] = {}
    for name, (frames, truth) in found.items():
        flow = estimate(frames, method, weights=weights)[0]
        stored = dequantize(quantize(flow, BOUND_PX), BOUND_PX)
        inner = slice(MARGIN_PX, -MARGIN_PX) if name == "synthetic" else slice(None)
        row[f"{name}: error px"] = end_point_error(flow[:, inner, inner], truth[:, inner, inner])
        row[f"{name}: stored error px"] = end_point_error(stored[:, inner, inner], truth[:, inner, inner])
        seconds = []
        clip = frames[[0, 1] * (8 if frames.shape[-1] < SMALL_PX else 1)]
        for _ in range(repeats):
            start = time.perf_counter()
            estimate(clip, method, weights=weights)
            seconds.append((time.perf_counter() - start) / (len(clip) - 1))
        row[f"{name}: ms per pair"] = 1e3 * min(seconds)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="one repeat, a small synthetic pair")
    parser.add_argument("--raft-weights", nargs="*", default=["raft_small", "raft_large"], help="names or files")
    parser.add_argument("--output", type=Path, default=Path("flow_methods.json"), help="where the numbers go")
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    found = pairs(quick=arguments.quick)
    columns = [f"{name}: {what}" for name in found for what in ("error px", "stored error px", "ms per pair")]
    print(f"no motion at all: {', '.join(f'{n} {end_point_error(t * 0, t):.2f} px' for n, (_, t) in found.items())}")
    print(f"{'method':24}" + "".join(f"{name:>30}" for name in found))
    print(f"{'':24}" + f"{'error px':>10}{'stored px':>10}{'ms':>10}" * len(found))
    table: dict[str, dict[str, float] | str] = {}
    for method in METHODS:
        for weights in arguments.raft_weights if method == "raft" else [None]:
            label = f"{method} {Path(weights).name}" if weights else method
            try:
                row = measure(method, weights, found, repeats=1 if arguments.quick else 5)
            except (MissingExtraError, FlowError) as error:
                table[label] = str(error)
                print(f"{label:24}  left out: {error}")
                continue
            table[label] = row
            print(
                f"{label:24}" + "".join(f"{row[c]:10.1f}" if c.endswith("pair") else f"{row[c]:10.3f}" for c in columns)
            )
    arguments.output.write_text(json.dumps(table, indent=2) + "\n")


if __name__ == "__main__":
    main()

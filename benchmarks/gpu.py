"""What does one GPU give: its tests, training of each model, TV-L1, decoding, and a whole run from a prepared copy?

Each part runs in a process of its own, within the seconds that are left of ``--minutes``, and its rows are kept as soon
as they are there: a part that fails or lasts too long is a row that says so. Needs torch and what vidcls imports, no
installation: ``make gpu``.
Usage: python benchmarks/gpu.py [--quick] [--minutes 6] [--parts tests tvl1 ...] [--output FILE.json]
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import torch
from measuring import parser, report

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[1]
Row = tuple[str, str, object, str]  # part, what, value, unit
TVL1_PAIRS, TVL1_SIZE = 128, (256, 340)


def tests(_device: torch.device, *, quick: bool) -> Iterator[Row]:
    """The tests that need a GPU: how many passed, failed and were skipped."""
    files = ["tests/flow/test_tvl1.py", "tests/models/test_model_contract.py", "tests/data/test_network_input.py"]
    command = [sys.executable, "-m", "pytest", "-q", "-k", "gpu", *(files[:1] if quick else files)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    yield "tests", "pytest -k gpu", (found.stdout.strip().splitlines() or [found.stderr.strip()[-200:]])[-1], ""
    for line in found.stdout.splitlines():
        if line.startswith(("FAILED", "ERROR")):
            yield "tests", line[:150], "failed", ""


def training(device: torch.device, *, quick: bool) -> Iterator[Row]:
    """Clips a second and peak memory of each model in bfloat16, eager and compiled, the batch given again and again."""
    from training_step import made_up, models

    from vidcls.types import ClipSettings

    frames, sizes, batch_size = (8, (32,), 2) if quick else (16, (112, 224), 16)
    clip = ClipSettings(clip_len=frames, flow_len=10)
    backbones = ("small", "small_3d") if quick else ("resnet18", "r3d_18")
    for is_compiled in (False,) if quick else (False, True):  # all eager rows first: compiling may take the time
        for size in sizes:
            for name, make in models(clip, *backbones).items():
                batch = made_up(make().streams, clip, size, batch_size, device)
                what = f"{name}, {frames}x{size}x{size}, batch {batch_size}, {'compiled' if is_compiled else 'eager'}"
                seconds, peak = _train(make, batch, device, num_steps=2 if quick else 20, is_compiled=is_compiled)
                yield "training", what, batch_size / seconds, "clips/s"
                if device.type == "cuda":
                    yield "training", what, peak / 2**20, "MiB at the peak"


def _train(
    make: Callable[[], torch.nn.Module], batch: object, device: torch.device, *, num_steps: int, is_compiled: bool
) -> tuple[float, float]:
    """Median seconds of a step of Lightning's trainer with ``vidcls.callbacks.Fast``, and bytes at the peak."""
    from lightning.pytorch import Callback, Trainer
    from torch.utils.data import DataLoader
    from training_step import SameBatch

    from vidcls.callbacks import Fast

    class Clock(Callback):
        def __init__(self) -> None:
            self.ends: list[float] = []

        def on_train_batch_end(self, *_: object) -> None:
            if device.type == "cuda":
                torch.cuda.synchronize()
            self.ends.append(time.perf_counter())

    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    clock = Clock()
    trainer = Trainer(
        max_epochs=1,
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=1,
        precision="bf16-mixed",
        callbacks=[Fast(compile=is_compiled), clock],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    warm_up = 1 if num_steps < 5 else 5
    steps = SameBatch(batch, num_steps + warm_up)  # type: ignore[arg-type]
    trainer.fit(make(), DataLoader(steps, batch_size=None))  # type: ignore[arg-type]
    ends = clock.ends[warm_up - 1 :]
    seconds = statistics.median(after - before for before, after in pairwise(ends))
    return seconds, torch.cuda.max_memory_allocated() if device.type == "cuda" else 0


def tvl1(device: torch.device, *, quick: bool) -> Iterator[Row]:
    """Pairs a second at 340x256, and the error beside the true flow and beside the CPU's flow."""
    from flow_methods import MARGIN_PX, turning_texture

    from vidcls.flow import FlowSettings
    from vidcls.flow.fields import end_point_error
    from vidcls.flow.tvl1 import tvl1_of_pairs

    height, width = (64, 80) if quick else TVL1_SIZE
    num_pairs = 2 if quick else TVL1_PAIRS
    frames, truth = turning_texture(height, width)
    settings = FlowSettings(method="tvl1")
    before, after = (frames[k].to(device).expand(num_pairs, -1, -1, -1).contiguous() for k in (0, 1))
    seconds = []
    for _ in range(1 if quick else 4):  # the first compiles
        start = time.perf_counter()
        flow = tvl1_of_pairs(before, after, settings)[0].cpu()
        seconds.append(time.perf_counter() - start)
    inner = slice(MARGIN_PX, -MARGIN_PX)
    what = f"{num_pairs} pairs of {width}x{height}"
    yield "tvl1", what, num_pairs / min(seconds), "pairs/s"
    yield "tvl1", what, float(end_point_error(flow[:, inner, inner], truth[:, inner, inner])), "px error"
    of_cpu = tvl1_of_pairs(before[:1].cpu(), after[:1].cpu(), settings)[0]
    yield "tvl1", what, float(end_point_error(flow, of_cpu)), "px from the CPU's flow"


def decoding(device: torch.device, *, quick: bool) -> Iterator[Row]:
    """The rows of ``decoding_device.py``: nvJPEG from a prepared copy, NVDEC from originals, a CPU beside them."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "decoding.json"
        command = [sys.executable, str(HERE / "decoding_device.py"), "--device", device.type]
        command += ["--quick"] if quick else []
        subprocess.run([*command, "--output", str(output)], check=True, capture_output=True)
        for row in json.loads(output.read_text(encoding="utf-8"))["rows"]:
            yield "decoding", row["decoding"], row["clips/s"], "clips/s"


def whole_run(device: torch.device, *, quick: bool) -> Iterator[Row]:
    """``vidcls fit --trainer fast`` from a prepared copy: clips a second, and the share of waiting for data."""
    from clips import with_other_parts, write_originals

    from vidcls.copies.preparation import prepare
    from vidcls.copies.prepared_folder import PrepareSettings
    from vidcls.jobs import local_pool

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        originals = write_originals(folder / "originals", num_videos=4 if quick else 64, num_frames=80)
        num_workers = 0 if quick else min(12, os.cpu_count() or 1)
        dataset = with_other_parts(folder / "originals", originals)
        prepare(dataset.records, folder / "copy", PrepareSettings(128), pool=local_pool(num_workers))
        options = ["fit", "--config", "conv3d", "--data", "video_csv", "--run", str(folder / "run")]
        options += ["--data.dataset.path", str(folder / "copy" / "clips.csv"), "--data.num_workers", str(num_workers)]
        options += ["--data.batch_size", "2" if quick else "16", "--trainer.max_epochs", "1" if quick else "12"]
        if device.type == "cuda":
            options += ["--trainer", "fast", "--model.backbone", "r3d_18", "--data.clip_len", "16"]
            options += ["--data.transform.resize_px", "128", "--data.transform.crop_px", "112"]
        program = "import sys; from vidcls.cli import main; sys.exit(main(sys.argv[1:]))"
        environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
        subprocess.run(
            [sys.executable, "-c", program, *options], check=True, cwd=folder, env=environment, capture_output=True
        )
        facts = json.loads((folder / "run" / "run.json").read_text(encoding="utf-8"))
        training = facts["trainings"][-1] if "trainings" in facts else facts
        yield "whole run", "conv3d from a prepared copy", training["clips_per_second"], "clips/s"
        yield "whole run", "conv3d from a prepared copy", training["waiting_share"], "share of waiting"


PARTS: dict[str, Callable[..., Iterator[Row]]] = {
    "tests": tests,
    "tvl1": tvl1,
    "training": training,
    "decoding": decoding,
    "whole_run": whole_run,
}


def run_part(name: str, device: torch.device, file: Path, *, quick: bool) -> None:
    """Write the rows of a part, each as soon as it is there."""
    torch.manual_seed(0)
    with file.open("a", encoding="utf-8") as handle:
        for row in PARTS[name](device, quick=quick):
            print(json.dumps(row), file=handle, flush=True)


def rows_of(name: str, arguments: list[str], seconds: float) -> list[Row]:
    """What a part found in a process of its own, with a row for why it ended early."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.jsonl"
        file.touch()
        command = [sys.executable, __file__, *arguments, "--parts", name, "--rows", str(file)]
        why = None
        try:
            found = subprocess.run(command, timeout=seconds, capture_output=True, text=True, check=False)
            if found.returncode != 0:
                why = (found.stderr.strip().splitlines() or [f"exit status {found.returncode}"])[-1][:200]
        except subprocess.TimeoutExpired:
            why = f"stopped after {seconds:.0f} s"
        rows: list[Row] = [tuple(json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]
        return rows if why is None else [*rows, (name, "ended early", why, "")]


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments.add_argument("--minutes", type=float, default=6.0, help="for all parts together")
    arguments.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    arguments.add_argument("--rows", type=Path, help="run one part here and append its rows to this file")
    options = arguments.parse_args()
    if options.rows is not None:
        run_part(options.parts[0], torch.device(options.device), options.rows, quick=options.quick)
        return
    passed_on = ["--device", options.device, *(["--quick"] if options.quick else [])]
    end = time.monotonic() + 60 * options.minutes
    rows: list[Row] = []
    for number, name in enumerate(options.parts):
        left = end - time.monotonic()
        share = left / (len(options.parts) - number) * (2 if name == "training" else 1)  # most of it is training
        rows += rows_of(name, passed_on, max(1.0, min(left, share)))
        print(f"{name}: {sum(row[0].startswith(name[:5]) for row in rows)} rows", file=sys.stderr)
    report(f"One GPU ({options.device})", ("part", "what", "found", "unit"), list(rows), options.output)


if __name__ == "__main__":
    main()

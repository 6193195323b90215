"""How long until the command line does something: --help, --version, and the label of one clip?

Whole processes, alternately. Usage: python benchmarks/start_up.py [--quick] [--output FILE.json]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from clips import FPS, source_frames
from lightning.pytorch import Trainer
from measuring import paired, parser, report

from vidcls.clips import InputSettings
from vidcls.models import SingleFrame
from vidcls.transforms import TransformSettings
from vidcls.types import ClipSettings
from vidcls.video import write_video


def seconds(*words: str) -> Callable[[], float]:
    program = [sys.executable, *words]

    def measure() -> float:
        start = time.perf_counter()
        subprocess.run(program, check=True, capture_output=True)
        return time.perf_counter() - start

    return measure


def main() -> None:
    options = parser(__doc__).parse_args()
    vidcls = ("-c", "from vidcls.cli import entry; entry()")
    with tempfile.TemporaryDirectory() as folder:
        clip, checkpoint = Path(folder, "clip.mp4"), Path(folder, "small.ckpt")
        write_video(clip, source_frames(60), fps=FPS)
        settings = ClipSettings(clip_len=1)
        model = SingleFrame(class_names=["a", "b"], clip=settings, backbone="small")
        model.input_settings = InputSettings(("rgb",), settings, transform=TransformSettings(crop_px=112)).to_dict()
        trainer = Trainer(max_epochs=0, logger=False, accelerator="cpu", enable_checkpointing=False)
        trainer.strategy.connect(model)
        trainer.save_checkpoint(checkpoint)
        jobs = {
            "python, nothing": seconds("-c", "pass"),
            "python, import torch": seconds("-c", "import torch"),
            "python, import torch, torchvision, lightning": seconds(
                "-c", "import torch, torchvision, lightning.pytorch"
            ),
            "vidcls --help": seconds(*vidcls, "--help"),
            "vidcls fit --help": seconds(*vidcls, "fit", "--help"),
            "vidcls predict, one clip": seconds(*vidcls, "predict", str(checkpoint), str(clip)),
        }
        if options.quick:
            jobs = {name: job for name, job in jobs.items() if name in ("python, nothing", "vidcls --help")}
        found = paired(jobs, rounds=1 if options.quick else 5)
    rows = [(name, one.median, one.spread) for name, one in found.items()]
    details = {name: one.values for name, one in found.items()}
    report(
        "Seconds from the command to its end", ("command", "seconds", "spread"), rows, options.output, details=details
    )


if __name__ == "__main__":
    main()

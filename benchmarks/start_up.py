"""How long until the command line does something: --help, --version, and the label of one clip?

Whole processes, alternately. Usage: python benchmarks/start_up.py [--quick] [--output FILE.json]
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from clips import FPS, source_frames
from measuring import paired, parser, report
from whole_commands import VIDCLS, saved, seconds

from vidcls.clips import InputSettings
from vidcls.models import SingleFrame
from vidcls.transforms import TransformSettings
from vidcls.types import ClipSettings
from vidcls.video import write_video


def main() -> None:
    options = parser(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder, "clip.mp4")
        write_video(clip, source_frames(60), fps=FPS)
        settings = ClipSettings(clip_len=1)
        model = SingleFrame(class_names=["a", "b"], clip=settings, backbone="small")
        rgb = InputSettings(("rgb",), settings, transform=TransformSettings(crop_px=112))
        checkpoint = saved(model, rgb, Path(folder, "small.ckpt"))
        jobs = {
            "python, nothing": seconds("-c", "pass"),
            "python, import torch": seconds("-c", "import torch"),
            "python, import torch, torchvision, lightning": seconds(
                "-c", "import torch, torchvision, lightning.pytorch"
            ),
            "vidcls --help": seconds(*VIDCLS, "--help"),
            "vidcls fit --help": seconds(*VIDCLS, "fit", "--help"),
            "vidcls predict, one clip": seconds(*VIDCLS, "predict", str(checkpoint), str(clip)),
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

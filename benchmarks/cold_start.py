"""How long from the shell to the label of one clip: with an exported file, and with its checkpoint?

Whole processes, alternately, of a run that its test measured. Usage:
python benchmarks/cold_start.py [--quick] [--output FILE.json]
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from clips import FPS, source_frames
from measuring import paired, parser, ratio, report
from whole_commands import VIDCLS, saved, seconds

from vidcls.clips import InputSettings
from vidcls.export.export import export
from vidcls.flow import FlowSettings
from vidcls.models import SingleFrame, TwoStream
from vidcls.transforms import TransformSettings
from vidcls.types import ClipSettings
from vidcls.video import write_video

CLIP = ClipSettings(clip_len=1, flow_len=10)


def main() -> None:
    options = parser(__doc__).parse_args()
    transform = TransformSettings(resize_px=128, crop_px=112)
    names = ["a", "b"]
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder, "clip.mp4")
        write_video(clip, source_frames(60), fps=FPS)
        rgb = InputSettings(("rgb",), CLIP, transform=transform)  # type: ignore[arg-type]
        both = InputSettings(("rgb", "flow"), CLIP, transform=transform, flow_settings=FlowSettings(short_side_px=128))  # type: ignore[arg-type]
        models = {
            "RGB, resnet18": (SingleFrame(class_names=names, clip=CLIP, backbone="resnet18"), rgb),
            "RGB and flow, resnet18 twice": (
                TwoStream(class_names=names, clip=CLIP, spatial="resnet18", temporal="resnet18"),
                both,
            ),
        }
        jobs = {"python, nothing": seconds("-c", "pass")}
        for number, (name, (model, settings)) in enumerate(models.items()):
            checkpoint = saved(model, settings, Path(folder, f"{number}.ckpt"))
            export(checkpoint, onnx := Path(folder, f"{number}.onnx"), videos=(clip,))
            jobs[f"{name}: vidcls predict MODEL.onnx"] = seconds(*VIDCLS, "predict", str(onnx), str(clip))
            jobs[f"{name}: vidcls predict CKPT"] = seconds(*VIDCLS, "predict", str(checkpoint), str(clip))
        found = paired(jobs, rounds=2 if options.quick else 9)
    rows: list[tuple[object, ...]] = []
    for name, one in found.items():
        other = found.get(name.replace("MODEL.onnx", "CKPT"), one)
        share = f"1 / {ratio(other, one):.1f}" if other is not one else ""
        rows.append((name, one.median, one.spread, share))
    details = {name: one.values for name, one in found.items()}
    columns = ("command", "seconds", "spread", "of that of the checkpoint")
    report("Seconds from the shell to the label of one clip", columns, rows, options.output, details=details)


if __name__ == "__main__":
    main()

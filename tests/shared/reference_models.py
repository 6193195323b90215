"""Small models that were tested on odd videos, with the scores of their test, which exported files must equal."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from encoding import encode
from lightning.pytorch import Trainer
from torch import Tensor, nn

from vidcls.datasets.video_csv import VideoCsv
from vidcls.inference import Scorer
from vidcls.loading import VideoDataModule
from vidcls.models import SingleFrame, TwoStream, VideoClassifier
from vidcls.tasks.decision import Decision
from vidcls.types import RGB
from vidcls.video import write_video

STEPS_PX = {"down": (2, 0), "right": (0, 2), "still": (0, 0)}
CLASSES = tuple(STEPS_PX)
FPS = 10.0


def square(label: str, seed: int, *, num_frames: int = 14, size: tuple[int, int] = (40, 56)) -> Tensor:
    """A textured square that wraps around, moving as its class says: ``(T, 3, H, W)`` uint8."""
    texture = torch.randint(60, 255, (3, 8, 8), generator=torch.Generator().manual_seed(seed))
    frame = torch.full((3, *size), 40)
    frame[:, 10:26, 12:28] = texture.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)
    down_px, right_px = STEPS_PX[label]
    shown = [frame.roll((down_px * t, right_px * t), dims=(1, 2)) for t in range(num_frames)]
    return torch.stack(shown).to(torch.uint8)


def odd_videos(folder: Path) -> VideoCsv:
    """Videos to train on and to validate, and to test ones of all kinds that confuse readers of frames."""
    folder.mkdir(parents=True, exist_ok=True)
    for k, label in enumerate((*CLASSES, "right")):
        write_video(folder / f"train{k}.avi", square(label, k), codec="mjpeg", fps=FPS)
    rows = ["path,label,split", *(f"train{k}.avi,{label},train" for k, label in enumerate(CLASSES))]
    rows.append("train3.avi,right,val")
    write_video(folder / "usual.mp4", square("down", 10, num_frames=30), fps=FPS)
    write_video(folder / "odd_size.avi", square("right", 11, size=(131, 175)), codec="mjpeg", fps=FPS)
    write_video(folder / "small.avi", square("right", 12, size=(27, 31)), codec="mjpeg", fps=FPS)  # below the crop
    write_video(folder / "short.avi", square("down", 13, num_frames=3), codec="mjpeg", fps=FPS)
    write_video(folder / "one_frame.avi", square("still", 14, num_frames=1), codec="mjpeg", fps=FPS)
    write_video(folder / "still.avi", square("still", 15), codec="ffv1", fps=FPS)
    encode(folder / "rotated.mp4", torch.rot90(square("right", 16), 1, dims=(2, 3)), rotation=90)
    pts = [*range(0, 200, 20), *range(200, 250, 5)]  # 10 frames in 2 s, then 10 in half a second
    encode(folder / "variable.mkv", square("down", 17, num_frames=20), pts=pts, clock=Fraction(1, 100))
    rows += [f"{path.name},down,test" for path in sorted(folder.glob("*.*")) if not path.name.startswith("train")]
    (folder / "clips.csv").write_text("\n".join(rows) + "\n")
    return VideoCsv(folder / "clips.csv")


@dataclass(frozen=True)
class Reference:
    """A checkpoint and what ``Trainer.test`` measured of it.

    Args:
        checkpoint: the file.
        data: its videos.
        scores: of the test videos ``(N, K)`` by row.
    """

    checkpoint: Path
    data: VideoDataModule
    scores: dict[str, Tensor]

    @property
    def videos(self) -> list[Path]:
        """Of the test, in its order."""
        return [record.path for record in self.data.split("test")]


def reference(data: VideoDataModule, checkpoint: Path) -> Reference:
    """A network of random weights whose scores differ clearly from video to video, saved and tested."""
    torch.manual_seed(0)
    is_single = data.input_settings.streams == (RGB,)
    kind: type[VideoClassifier] = SingleFrame if is_single else TwoStream
    backbones = {"backbone": "small"} if is_single else {"spatial": "small", "temporal": "small"}
    model = kind(class_names=data.class_names, clip=data.clip, **backbones)
    _spread(model, data)
    model.decision = Decision({"model": 0.6, "spatial": 2.5})  # other rows stay as they are
    trainer = Trainer(logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu")
    trainer.test(model, data, verbose=False)
    trainer.save_checkpoint(checkpoint)
    assert model.test_scores is not None
    return Reference(checkpoint, data, dict(model.test_scores.scores))


def _spread(model: VideoClassifier, data: VideoDataModule) -> None:
    """Scale and centre the last layers, so that scores lie apart."""
    batch = next(iter(data.test_dataloader()))

    def centre(layer: nn.Linear, _: tuple[Tensor], logits: Tensor) -> None:
        layer.bias.data.sub_(logits.mean(dim=0))

    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and "head" in name:
            module.weight.data.mul_(2000)
            module.register_forward_hook(centre)
    with torch.no_grad():
        Scorer.of(model.eval(), data.input_settings).videos(batch["streams"])
    for module in model.modules():
        module._forward_hooks.clear()


def largest_difference(found: dict[str, tuple[float, ...]], expected: dict[str, Tensor], number: int) -> float:
    """Between the scores of one video and those of the test, over all rows."""
    assert found.keys() == expected.keys()
    return max(float(np.abs(np.array(found[row]) - expected[row][number].numpy()).max()) for row in found)

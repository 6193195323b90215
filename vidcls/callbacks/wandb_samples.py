"""Some videos and their scores -> a table in Weights & Biases that shows the videos with the answers."""

from __future__ import annotations

from collections.abc import Container, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from vidcls.callbacks.wandb_run import WandbRun
from vidcls.class_names import label_text
from vidcls.clips.reader import ClipReader
from vidcls.errors import DecodeError
from vidcls.inference import Scorer
from vidcls.loading import VideoDataModule
from vidcls.loading.batches import collate
from vidcls.loading.clip_dataset import OrderedVideos
from vidcls.models import VideoClassifier
from vidcls.tasks import Task
from vidcls.training.results import collated_targets
from vidcls.types import MODEL_ROW, VideoRecord
from vidcls.video import open_video, write_video
from vidcls.video.reader import Backend
from vidcls.video.source import VideoSource

MAX_SAMPLE_FRAMES = 100
MAX_SAMPLE_SHORT_SIDE_PX = 240


def log_samples(
    logger: WandbRun,
    split: str,
    records: Sequence[VideoRecord],
    scores: Tensor,
    task: Task,
    *,
    step: int,
    decoder: Backend | None = None,
    known_bad: Container[VideoSource] = (),
) -> None:
    """Log the table ``<split>/samples``: each video, what it is, what was answered, and how surely.

    Args:
        logger: the run.
        split: ``val`` or ``test``.
        records: N videos.
        scores: ``(N, K)`` probabilities.
        task: what the scores say.
        step: optimiser steps taken.
        decoder: the one decoder that the videos are read by; None tries all.
        known_bad: files that are not opened, since they cannot be read.
    """
    import wandb

    table = wandb.Table(columns=["video", "path", "label", "prediction", "probability", "right"])
    confidence = task.confidence(scores.numpy())  # (N,)
    with TemporaryDirectory() as folder:
        for position, record in enumerate(records):
            file = Path(folder) / f"{position}.mp4"
            is_shown = record.source not in known_bad and _write_preview(record, file, decoder)
            video = wandb.Video(str(file), format="mp4") if is_shown else None
            prediction, label = task.answer(scores[position]), label_text(record.classes)
            right = set(prediction) == set(record.classes)
            table.add_data(video, record.name, label, label_text(prediction), float(confidence[position]), right)
        logger.experiment.log({f"{split}/samples": table, "trainer/global_step": step})


@torch.inference_mode()
def scores_of(model: VideoClassifier, data: VideoDataModule, indices: Sequence[int]) -> Tensor:
    """Probabilities ``(N, K)`` of validation videos, one centred clip each, where the model lies."""
    settings = data.input_settings.single_view()
    reader = ClipReader(settings, data.flow_source, data.known_bad)
    videos = OrderedVideos(data.split("val"), data.task, reader, views=False, bad_videos="wrong")
    was_training = model.training
    model.eval()
    scorer = Scorer.of(model, settings)
    shares = []
    for index in indices:
        batch = collate([videos[index]])
        if "unread" in batch:
            ((_, target, _),) = batch["unread"]
            assert target is not None
            shares.append(model.task.wrong_scores(collated_targets([target])))
            continue
        shares.append(scorer.clips(batch["streams"])[MODEL_ROW].cpu())
    model.train(was_training)
    return torch.cat(shares)


def _write_preview(record: VideoRecord, file: Path, decoder: Backend | None) -> bool:
    """Write the beginning of a video, small and as every browser plays it; False where it cannot be read."""
    try:
        with open_video(record.source, decoder) as video:
            frames = video.frames(range(min(video.num_frames, MAX_SAMPLE_FRAMES)))  # (T, 3, H, W)
            fps = video.fps
    except DecodeError:
        return False
    H, W = frames.shape[-2:]
    factor = min(1.0, MAX_SAMPLE_SHORT_SIDE_PX / min(H, W))
    even_size = [max(2, 2 * round(side * factor / 2)) for side in (H, W)]  # 4:2:0 needs even sides
    write_video(file, F.resize(frames, even_size, antialias=True), fps=fps)
    return True

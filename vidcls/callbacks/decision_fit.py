"""The end of a training -> what is chosen on the validation videos to turn scores into answers, in the checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies import ModelParallelStrategy

from vidcls.callbacks.held_out_scores import cross_validated, has_seen_validation, write_table
from vidcls.callbacks.result_files import scored_videos
from vidcls.callbacks.video_scores import video_scores_of
from vidcls.callbacks.whole_checkpoints import write_checkpoint
from vidcls.console import say
from vidcls.errors import ConfigurationError
from vidcls.loading import VideoDataModule
from vidcls.models.build import load_classifier
from vidcls.models.checkpoint import FACTS_KEY
from vidcls.models.classifier import VideoClassifier
from vidcls.runs.decision_choice import ValidationVideos, choose_decision
from vidcls.runs.folder import BEST, LAST, checkpoint_in
from vidcls.tasks.decision import NO_DECISION, Decision
from vidcls.training.results import VideoScores


@dataclass(frozen=True)
class _Chosen:
    step: int
    decision: Decision
    lines: list[str]


class DecisionFit(Callback):
    """Scores the validation videos with all views of the test when ``fit`` has ended, and fits what was asked for.

    Done for each checkpoint with that checkpoint's own weights; every process scores its share, the first one fits. Of
    heads that were fitted to features it takes the scores of their cross-validation, where these heads have seen the
    validation videos. Where nothing is asked for, nothing is done.

    Args:
        run: the run folder.
    """

    def __init__(self, run: Path) -> None:
        self.run = run

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Refuse to begin where there is nothing to fit, or nothing to fit it to.

        Raises:
            ConfigurationError: there is no data module, or a video may have no class anyway.
        """
        data = trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(pl_module, VideoClassifier) or not pl_module.decision_settings.is_asked:
            return
        if pl_module.decision_settings.unknown is not None and not pl_module.task.has_one_class:
            raise ConfigurationError(
                f"model.decision.unknown is for videos of one class each: in the task {pl_module.task.name} one may "
                "have none"
            )
        if not isinstance(data, VideoDataModule):
            raise ConfigurationError("model.decision is fitted to validation videos: pass a VideoDataModule with some")

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Fit, and write what was chosen into the files."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        if not (
            isinstance(pl_module, VideoClassifier)
            and isinstance(data, VideoDataModule)
            and (pl_module.decision_settings.is_asked or _has_thresholds(pl_module, data))
            and not trainer.interrupted
        ):
            return
        found: _Chosen | None = None
        for name in (LAST, BEST):
            file = checkpoint_in(self.run, name)
            if not trainer.strategy.broadcast(file.is_file()):
                continue
            content = torch.load(file, map_location="cpu", weights_only=True) if trainer.is_global_zero else {}
            step = int(trainer.strategy.broadcast(content.get("global_step", 0)))
            if found is None or found.step != step:  # else the same weights
                found = self._chosen(file, content, step, trainer, pl_module, data)
            if trainer.is_global_zero:
                content[FACTS_KEY]["decision"] = found.decision.to_dict()
                write_checkpoint(file, content)
        if found is not None and trainer.is_global_zero:
            for line in found.lines:
                say(line)

    def _chosen(
        self,
        file: Path,
        content: dict[str, Any],
        step: int,
        trainer: Trainer,
        model: VideoClassifier,
        data: VideoDataModule,
    ) -> _Chosen:
        seen = cross_validated(model, data) if has_seen_validation(model) else None
        if seen is None:
            of_file, records = _scores_of(file, content, trainer, model, data), list(data.split("val"))
            if of_file is None:
                line = (
                    f"nothing is chosen to turn scores into answers: none of {len(records)} validation videos could be"
                )
                return _Chosen(step, NO_DECISION, [f"{line} read"])
            scores = of_file
            if trainer.is_global_zero:
                write_table(self.run, scores, records, views=data.input_settings.num_views)
        else:
            scores, records = seen
        rows = {row: scored_videos(scores, records, row) for row in scores.scores}
        settings = model.decision_settings
        decision, lines = choose_decision(
            ValidationVideos(rows),
            temperature_scaling=settings.temperature_scaling,
            unknown=settings.unknown,
            known_share=settings.known_share,
            thresholds=settings.thresholds,
        )
        return _Chosen(step, decision, lines)


def _has_thresholds(model: VideoClassifier, data: VideoDataModule) -> bool:
    """Whether each class gets a threshold, for which there are videos."""
    can_learn = has_seen_validation(model) or any(record.split == "val" for record in data.records)
    return model.task.thresholds is not None and model.decision_settings.thresholds and can_learn


def _scores_of(
    file: Path, content: dict[str, Any], trainer: Trainer, model: VideoClassifier, data: VideoDataModule
) -> VideoScores | None:
    """What the weights of a checkpoint make of the validation videos that could be read, from all processes.

    None where none could be read.
    """
    is_sharded = isinstance(trainer.strategy, ModelParallelStrategy)  # a process has a share of the weights
    model = load_classifier(file) if is_sharded else model
    trained = {name: value.detach().clone() for name, value in model.state_dict().items()}
    model.to(trainer.strategy.root_device)  # Lightning has put it on the CPU by now
    try:
        model.load_state_dict(trainer.strategy.broadcast(content.get("state_dict", {})))
        title = f"scoring the validation videos: {file.name}"
        return video_scores_of(model, data, data.held_out_loader(), trainer, title=title)
    finally:
        model.load_state_dict(trained)
        model.cpu()

"""The end of a training -> a support vector machine over the parts, kept in the checkpoints."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies import ModelParallelStrategy
from torch import Tensor
from tqdm import tqdm

from vidcls.callbacks.whole_checkpoints import write_checkpoint
from vidcls.console import say
from vidcls.inference import HasParts, Scorer
from vidcls.loading import VideoDataModule
from vidcls.models.build import load_classifier
from vidcls.models.classifier import VideoClassifier
from vidcls.training.svm_fusion import SvmFusion

Scored = tuple[Tensor, Tensor, Tensor]  # positions (B,), probabilities (P, B, K), labels (B,)


NUM_COLUMNS, NUM_ROWS = 60, 20  # one line, on terminals that are narrow or do not know their size
LINE = "{desc} {n_fmt}/{total_fmt}  ETA {remaining}"
ANNOUNCEMENT = "fitting the SVM over the streams' scores, for the table of the test"


class SvmFit(Callback):
    """Fits the fusion by a linear SVM on the training videos, one centred clip each, when ``fit`` has ended.

    Done for each checkpoint with that checkpoint's own weights; every process scores its share of the videos, the first
    one fits. A model without parts is left alone, and one whose videos may have several
    classes. A training that goes on from a fitted checkpoint starts without it.

    Args:
        checkpoints: the files to complete.
    """

    def __init__(self, checkpoints: Iterable[Path]) -> None:
        self.checkpoints = tuple(checkpoints)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Forget what was fitted to the weights of a checkpoint that will not stay as they are."""
        svm = getattr(pl_module, "svm", None)
        if isinstance(svm, SvmFusion):
            svm.forget()

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Fit, and write the coefficients into the files."""
        svm, data = getattr(pl_module, "svm", None), trainer.datamodule  # type: ignore[attr-defined]
        if not (
            isinstance(svm, SvmFusion)
            and isinstance(pl_module, VideoClassifier)
            and pl_module.task.has_one_class
            and isinstance(data, VideoDataModule)
            and not trainer.interrupted
        ):
            return
        if trainer.is_global_zero and any(file.is_file() for file in self.checkpoints):
            say(ANNOUNCEMENT)
        is_sharded = isinstance(trainer.strategy, ModelParallelStrategy)
        for file in self.checkpoints:
            if trainer.strategy.broadcast(file.is_file()):
                model = load_classifier(file) if is_sharded else pl_module  # a process has a share of the weights
                model.to(trainer.strategy.root_device)  # Lightning has put it on the CPU by now
                _complete(file, trainer, model, getattr(model, "svm"), data)  # noqa: B009 - the kind was looked at
                model.cpu()


def _complete(file: Path, trainer: Trainer, model: VideoClassifier, svm: SvmFusion, data: VideoDataModule) -> None:
    on_first = trainer.is_global_zero
    content = torch.load(file, map_location="cpu", weights_only=True) if on_first else {"state_dict": {}}
    trained = {name: value.detach().clone() for name, value in model.state_dict().items()}
    try:
        model.load_state_dict(trainer.strategy.broadcast(content["state_dict"]))
        title = f"fitting the SVM: {file.stem}.ckpt"
        scored = _of_all_processes(_training_scores(model, data, title=title, is_told=on_first), trainer)
        if on_first:
            order = torch.cat([positions for positions, _, _ in scored]).argsort()
            probabilities = torch.cat([shares for _, shares, _ in scored], dim=1)[:, order]  # (P, N, K)
            svm.fit(probabilities, torch.cat([labels for _, _, labels in scored])[order])
            content["state_dict"] |= {f"svm.{name}": value.cpu().clone() for name, value in svm.state_dict().items()}
            write_checkpoint(file, content)
    finally:
        model.load_state_dict(trained)


def _of_all_processes(scored: list[Scored], trainer: Trainer) -> list[Scored]:
    if trainer.world_size == 1:
        return scored
    gathered: list[list[Scored]] = [[] for _ in range(trainer.world_size)]
    torch.distributed.all_gather_object(gathered, scored)
    return [batch for process in gathered for batch in process]


@torch.inference_mode()
def _training_scores(model: VideoClassifier, data: VideoDataModule, *, title: str, is_told: bool) -> list[Scored]:
    """What the parts make of this process's share of the training videos, batch by batch.

    Raises:
        DivergedError: a video has scores that are not finite.
    """
    assert isinstance(model, HasParts)
    was_training = model.training
    model.eval()
    scored: list[Scored] = []
    scorer = Scorer.of(model, data.input_settings)
    loader = data.single_view_loader("train")
    told = None if is_told else True  # None: where it is a terminal
    bar: dict[str, Any] = {"ncols": NUM_COLUMNS, "nrows": NUM_ROWS, "bar_format": LINE}
    for batch in tqdm(loader, desc=title, leave=False, mininterval=1, disable=told, **bar):
        if len(batch["label"]) == 0:  # every file of it was left out, or there are more processes than batches
            continue
        rows = scorer.clips(batch["streams"])  # as loaded: never mixed, though a training is running
        shares = torch.stack([rows[part] for part in model.parts]).cpu()  # (P, B, K)
        model.finite.note_scores(shares.sum(dim=(0, 2)), batch["index"].cpu())
        model.finite.check_scores(model, "train")
        scored.append((batch["index"].cpu(), shares, batch["label"].cpu()))
    model.train(was_training)
    return scored

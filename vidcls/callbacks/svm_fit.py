"""The end of a training -> a support vector machine over the parts, kept in the checkpoints."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from tqdm import tqdm

from vidcls.data import VideoDataModule
from vidcls.files import written_whole
from vidcls.models.classifier import HasParts, VideoClassifier
from vidcls.training.svm_fusion import SvmFusion
from vidcls.types import Batch


class SvmFit(Callback):
    """Fits the fusion by a linear SVM on the training videos, one centred clip each, when ``fit`` has ended.

    Done for each checkpoint with that checkpoint's own weights, on the first process; a model without parts is left
    alone.

    Args:
        checkpoints: the files to complete.
    """

    def __init__(self, checkpoints: Iterable[Path]) -> None:
        self.checkpoints = tuple(checkpoints)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Fit, and write the coefficients into the files."""
        svm, data = getattr(pl_module, "svm", None), trainer.datamodule  # type: ignore[attr-defined]
        if (
            isinstance(svm, SvmFusion)
            and isinstance(pl_module, VideoClassifier)
            and isinstance(data, VideoDataModule)
            and trainer.is_global_zero
            and not trainer.interrupted
        ):
            for file in self.checkpoints:
                if file.is_file():
                    _complete(file, pl_module, svm, data)
        trainer.strategy.barrier("svm")


def _complete(file: Path, model: VideoClassifier, svm: SvmFusion, data: VideoDataModule) -> None:
    content = torch.load(file, map_location="cpu", weights_only=True)
    trained = {name: value.detach().clone() for name, value in model.state_dict().items()}
    device = model.device
    try:
        model.load_state_dict(content["state_dict"])
        probabilities, labels = _training_scores(model, data, title=f"fitting the SVM of {file.stem}")
        svm.fit(probabilities, labels)
        content["state_dict"] |= {f"svm.{name}": value.cpu().clone() for name, value in svm.state_dict().items()}
    finally:
        model.load_state_dict(trained)
        model.to(device)
    with written_whole(file) as temporary:
        torch.save(content, temporary)


@torch.inference_mode()
def _training_scores(model: VideoClassifier, data: VideoDataModule, *, title: str) -> tuple[Tensor, Tensor]:
    """Probabilities ``(P, N, K)`` of the parts and labels ``(N,)`` over the training videos."""
    assert isinstance(model, HasParts)
    was_training = model.training
    model.eval()
    shares, labels = [], []
    loader = data.single_view_loader("train", all_in_this_process=True)
    for batch in tqdm(loader, desc=title, unit="batch", leave=False, mininterval=1):
        if len(batch["label"]) == 0:  # every file of it was left out
            continue
        on_device: Batch = data.on_after_batch_transfer(model.transfer_batch_to_device(batch, model.device, 0), 0)
        parts = model.forward_parts(*(on_device[stream] for stream in model.streams))
        shares.append(torch.stack([parts[part].float().softmax(dim=-1) for part in model.parts]).cpu())
        labels.append(batch["label"])
    model.train(was_training)
    return torch.cat(shares, dim=1), torch.cat(labels)

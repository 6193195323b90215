"""Videos without sound of a model that hears -> one line that counts them."""

from __future__ import annotations

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor

from vidcls.types import Batch, ListsVideos, Split

MOST_NAMED = 3


class SoundlessVideos(Callback):
    """Counts the videos that have no sound track, and says so once a split: the other streams answer them alone.

    Training videos are counted in the first epoch that is trained, of which every video is a part but for those that
    its last batch leaves out.
    """

    def __init__(self) -> None:
        self._met: dict[Split, list[tuple[Tensor, Tensor]]] = {}
        self._said: set[Split] = set()

    def on_train_batch_start(
        self,
        trainer: Trainer,  # noqa: ARG002
        pl_module: LightningModule,
        batch: Batch,
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """Note who has sound in a training batch."""
        self._note(pl_module, batch, "train")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say how many have none."""
        self._say(trainer, pl_module, "train")

    def on_test_batch_start(
        self,
        trainer: Trainer,  # noqa: ARG002
        pl_module: LightningModule,
        batch: Batch,
        batch_idx: int,  # noqa: ARG002
        dataloader_idx: int = 0,  # noqa: ARG002
    ) -> None:
        """Note who has sound in a test batch."""
        self._note(pl_module, batch, "test")

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say how many have none."""
        self._say(trainer, pl_module, "test")

    def _note(self, model: LightningModule, batch: Batch, split: Split) -> None:
        name = heard_stream(model)
        if name is None or split in self._said or name not in batch["streams"]:
            return
        is_silent = batch["streams"][name].isnan().flatten(1).any(dim=1)  # (B,)
        self._met.setdefault(split, []).append((batch["index"], is_silent))

    def _say(self, trainer: Trainer, model: LightningModule, split: Split) -> None:
        if heard_stream(model) is None or split in self._said:
            return
        met = {
            index: silent
            for indices, is_silent in self._met.pop(split, [])
            for index, silent in zip(indices.tolist(), is_silent.tolist(), strict=True)
        }
        gathered = [met] * trainer.world_size
        if trainer.world_size > 1:
            torch.distributed.all_gather_object(gathered, met)
        self._said.add(split)
        met = {index: silent for part in gathered for index, silent in part.items()}
        silent = sorted(index for index, is_silent in met.items() if is_silent)
        if not silent:
            return
        data = getattr(trainer, "datamodule", None)
        names = [data.split(split)[index].name if isinstance(data, ListsVideos) else f"{index}" for index in silent]
        more = ", ..." if len(names) > MOST_NAMED else ""
        rank_zero_info(
            f"sound: {len(silent)} of {len(met)} {'training' if split == 'train' else 'test'} videos have none "
            f"({', '.join(names[:MOST_NAMED])}{more}): the other streams answer them alone"
        )


def heard_stream(model: LightningModule) -> str | None:
    """The name of the stream that a model hears; None where it hears nothing."""
    streams = getattr(model, "streams", ())
    return next((stream.name for stream in streams if stream.kind == "audio"), None)

"""A training -> how its layers are doing: dead and saturated units, sizes of activations and gradients, by step."""

from __future__ import annotations

import csv
from itertools import chain
from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.optim import Optimizer

from vidcls.callbacks.layer_figure import layers_figure
from vidcls.callbacks.wandb_media import wandb_run
from vidcls.figures import save_png
from vidcls.files import write_csv
from vidcls.layers.activity import ActivityWatch, LayerActivity
from vidcls.runs.folder import LAYERS_FIGURE, LAYERS_FILE

COLUMNS = ("step", "layer", "kind", "dead", "saturated", "activation_norm", "gradient_norm")
Row = dict[str, str | int | float | None]


class LayerStatistics(Callback):
    """Watches every so many steps the batch that is trained on anyway, and writes what it saw into the run folder.

    ``layers.csv`` has a row for each layer and step, ``layers.png`` draws it with a row for each layer, the input's
    side at the top. Of activations: the share of ReLU units that are zero for the whole batch, the share of outputs at
    the flat ends of a sigmoid or tanh, and the root of the mean square. Of layers with weights: the norm of the
    gradient, over all processes' batches. The rest is of the first process.

    Args:
        every_n_steps: optimiser steps from one look to the next.
    """

    def __init__(self, every_n_steps: int = 20) -> None:
        if every_n_steps < 1:
            raise ValueError(f"every_n_steps must be at least 1, got {every_n_steps}")
        self.every_n_steps = every_n_steps
        self._rows: list[Row] = []
        self._watch: ActivityWatch | None = None
        self._heard: list[LayerActivity] | None = None  # of the first batch of a step that is due

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Go on in the table of a run that is resumed."""
        self._rows = []
        table = Path(trainer.default_root_dir) / LAYERS_FILE
        if trainer.is_global_zero and trainer.global_step > 0 and table.is_file():
            with table.open(newline="", encoding="utf-8") as file:
                self._rows = [_parsed(row) for row in csv.DictReader(file) if int(row["step"]) < trainer.global_step]

    def on_train_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: object,  # noqa: ARG002
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """Listen to the activations of this batch where its step is due."""
        if trainer.is_global_zero and trainer.global_step % self.every_n_steps == 0 and self._heard is None:
            self._watch = ActivityWatch(pl_module)

    def on_after_backward(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """One batch is enough, where several make a step."""
        if self._watch is not None:
            self._heard, self._watch = self._watch.end(), None

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:  # noqa: ARG002
        """Note what was seen, and the gradients, before they are used."""
        if self._heard is None:
            return
        rows: list[Row] = [
            {
                "step": trainer.global_step,
                "layer": activity.name,
                "kind": activity.kind,
                "dead": activity.dead_share,
                "saturated": activity.saturated_share,
                "activation_norm": (activity.mean**2 + activity.std**2) ** 0.5,
                "gradient_norm": None,
            }
            for activity in self._heard
        ]
        self._heard = None
        for name, module in pl_module.named_modules():
            gradient = _gradient_norm(module)
            if gradient is not None:
                rows.append(
                    dict.fromkeys(COLUMNS)
                    | {
                        "step": trainer.global_step,
                        "layer": name,
                        "kind": type(module).__name__,
                        "gradient_norm": gradient,
                    }
                )
        self._rows += rows
        logger = wandb_run(trainer)
        if logger is not None:
            values = {
                f"layers/{row['layer']}/{column}": row[column]
                for row in rows
                for column in COLUMNS[3:]
                if row[column] is not None
            }
            logger.experiment.log({**values, "trainer/global_step": trainer.global_step})

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Write the table, so that a stop loses no more than an epoch of it."""
        if trainer.is_global_zero and self._rows:
            cells = ([_cell(row[column]) for column in COLUMNS] for row in self._rows)
            write_csv(Path(trainer.default_root_dir) / LAYERS_FILE, chain([COLUMNS], cells))

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Draw."""
        if trainer.is_global_zero and self._rows:
            save_png(layers_figure(self._rows), Path(trainer.default_root_dir) / LAYERS_FIGURE)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:  # noqa: ARG002
        """Leave no hooks behind."""
        if self._watch is not None:
            self._watch.end()
            self._watch = None


def _gradient_norm(module: nn.Module) -> float | None:
    """Of the module's own weights; None where it has none with a gradient."""
    gradients: list[Tensor] = [p.grad for p in module.parameters(recurse=False) if p.grad is not None]
    if not gradients:
        return None
    return float(sum(float(gradient.detach().float().norm()) ** 2 for gradient in gradients) ** 0.5)


def _cell(value: str | int | float | None) -> object:
    return f"{value:.6g}" if isinstance(value, float) else "" if value is None else value


def _parsed(row: dict[str, str]) -> Row:
    numbers: Row = {column: float(row[column]) if row[column] else None for column in COLUMNS[3:]}
    return {"step": int(row["step"]), "layer": row["layer"], "kind": row["kind"], **numbers}

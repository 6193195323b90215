"""The metrics of a validation -> a table on the screen."""

from __future__ import annotations

from lightning.pytorch import Callback, LightningModule, Trainer

from vidcls.callbacks.result_files import table_text
from vidcls.callbacks.validation_reading import validation_reading
from vidcls.inference import HasParts
from vidcls.loading import VideoDataModule
from vidcls.tasks import HasTask
from vidcls.types import MODEL_ROW


class ValidationTable(Callback):
    """Prints what ``vidcls validate`` found: a line for each part of the model, and one for the model itself."""

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print, on the first process."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        if trainer.state.fn != "validate" or not trainer.is_global_zero or not isinstance(data, VideoDataModule):
            return
        metrics = {
            name.removeprefix("val/"): float(value)
            for name, value in trainer.callback_metrics.items()
            if name.startswith("val/")
        }
        loss = metrics.pop("loss", None)
        table: dict[str, dict[str, float]] = {}
        for part in pl_module.parts if isinstance(pl_module, HasParts) else ():
            own = [name for name in metrics if name.startswith(f"{part}_")]
            table[part] = {name.removeprefix(f"{part}_"): metrics.pop(name) for name in own}
        table[MODEL_ROW] = metrics
        if isinstance(pl_module, HasTask):
            main = pl_module.task.main_metric
            table = {part: dict(sorted(row.items(), key=lambda pair: pair[0] != main)) for part, row in table.items()}
        print(
            table_text(
                table,
                fusion=None,
                num_videos=len(data.split("val")),
                num_classes=len(data.class_names),
                command="validation",
            )
        )
        if loss is not None:
            print(f"loss {loss:.4f}")
        for line in validation_reading(data, getattr(pl_module, "validated", {})):
            print(line)

"""What a network learnt and where it looks -> Weights & Biases: first kernels, heat maps, the page of a test."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn
from tqdm import tqdm

from vidcls.callbacks.wandb_media import best_checkpoint, wandb_run
from vidcls.callbacks.wandb_run import WandbRun, as_extra
from vidcls.class_names import label_text
from vidcls.errors import VidclsError
from vidcls.explain import Explainer
from vidcls.explain.kernels import first_kernels, write_kernels
from vidcls.explain.pictures import write_heat
from vidcls.loading import VideoDataModule
from vidcls.models import VideoClassifier
from vidcls.predict.predictor import Device
from vidcls.report import write_report
from vidcls.report.choice import evenly
from vidcls.runs.folder import SUMMARY_FILE
from vidcls.runs.run import read_run
from vidcls.types import VideoRecord

Item = TypeVar("Item")


class WandbExplanations(Callback):
    """Adds pictures to the run of a :class:`WandbRun`, and does nothing where the trainer has none.

    At the end of ``fit``, of the best checkpoint where one was kept: ``kernels``, the first kernels of each network,
    and ``val/heat``, rows of frames of validation videos with the heat of the class that each was given. After a test:
    ``test/report``, the page that ``vidcls report`` writes, whose pictures show the most confident errors.

    Args:
        run: the run folder, with the files that a test wrote.
        num_samples: validation videos with heat, and mistakes and hits on the page.
    """

    def __init__(self, run: Path, *, num_samples: int = 8) -> None:
        self.run = run
        self.num_samples = num_samples

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Log when every other callback has finished with its files."""
        logger, data = wandb_run(trainer), trainer.datamodule  # type: ignore[attr-defined]
        if logger is None or not trainer.is_global_zero or not isinstance(pl_module, VideoClassifier):
            return
        if not isinstance(data, VideoDataModule):
            return
        device: Device = "cuda" if trainer.strategy.root_device.type == "cuda" else "cpu"
        best = best_checkpoint(trainer)
        if stage == "fit" and best is not None:
            explainer = _explainer(best[0], device)
            if explainer is None:
                return
            records = data.split("val")
            shown = [records[k] for k in evenly(len(records), self.num_samples)]
            with as_extra("kernels and heat were"), TemporaryDirectory() as folder:
                _log_looks(logger, explainer, shown, Path(folder), step=trainer.global_step)
        if stage == "test" and (self.run / SUMMARY_FILE).is_file():
            with as_extra("the report was"):
                self._log_page(logger, data, device, step=trainer.global_step)

    def _log_page(self, logger: WandbRun, data: VideoDataModule, device: Device, *, step: int) -> None:
        import wandb

        run = read_run(self.run)
        explainer = _explainer(run.checkpoint, device) if run.checkpoint is not None else None
        paths = {record.name: record.source for record in data.records}
        with TemporaryDirectory() as folder:
            page = Path(folder) / "report.html"
            write_report(
                run,
                page,
                explainer=explainer,
                path_of=paths.get,
                progress=_bar,
                num_shown=self.num_samples,
                has_links=False,
            )
            media = wandb.Html(page.read_text(encoding="utf-8"), inject=False)
        logger.experiment.log({"test/report": media, "trainer/global_step": step})


def _bar(items: list[Item]) -> Iterable[Item]:
    return tqdm(items, desc="looking", unit="video", leave=False, disable=None)


def _explainer(checkpoint: Path, device: Device) -> Explainer | None:
    """None, with a warning, where new videos cannot be looked at, as with flow that another tool made."""
    try:
        return Explainer(checkpoint, device=device)
    except VidclsError as error:
        rank_zero_warn(f"no heat maps in W&B: {error}")
        return None


def _log_looks(logger: WandbRun, explainer: Explainer, records: list[VideoRecord], folder: Path, *, step: int) -> None:
    """Log kernels and heat; a video that cannot be read is named in a warning and has no picture."""
    import wandb

    media: dict[str, object] = {"trainer/global_step": step}
    if first_kernels(explainer.model):
        picture = folder / "kernels.png"
        write_kernels(explainer.model, picture)
        media["kernels"] = wandb.Image(str(picture))
    heat: list[wandb.Image] = []
    for number, record in enumerate(_bar(records)):
        try:
            explanation = explainer(record.source, part=record.part)
            picture = folder / f"heat_{number}.png"
            write_heat(explanation, picture)
        except VidclsError as error:
            rank_zero_warn(f"no heat map in W&B: {error}")
            continue
        caption = (
            f"{record.name}: {label_text(record.classes)}, taken for {explanation.class_name} {explanation.score:.2f}"
        )
        heat.append(wandb.Image(str(picture), caption=caption))
    if heat:
        media["val/heat"] = heat
    logger.experiment.log(media)

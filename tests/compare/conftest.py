"""Run folders with made results, and costs that nobody measured."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml

from vidcls.compare.cost import Cost

CLASS_NAMES = ("left", "right")
LABELS = ("left", "left", "left", "right")  # of the four test videos
MadeRun = Callable[..., Path]


@pytest.fixture
def made_run(tmp_path: Path) -> MadeRun:
    """Writes the folder of a tested run: predictions of four videos (or others) and a curve of validation accuracy."""

    def make(
        name: str,
        seed: int,
        predictions: Sequence[str],
        *,
        labels: Sequence[str] = LABELS,
        curve: Sequence[float] = (0.5, 0.5),
        fold: int | None = None,
        num_folds: int | None = None,
        trainer: dict[str, object] | None = None,
        model: str = "vidcls.models.SingleFrame",
        dropout: float = 0.5,
        train_seconds: float | None = 60.0,
        prefix: str = "video",
    ) -> Path:
        folder = tmp_path / name / (f"seed{seed}" if fold is None else f"seed{seed}_fold{fold}")
        (folder / "checkpoints").mkdir(parents=True)
        sizes = {f"num_{part}": 8 for part in ("train", "val", "test")}
        settings = {
            "seed_everything": seed,
            "name": name,
            "model": {"class_path": model, "init_args": {"dropout": dropout}},
            "data": {
                "dataset": {"class_path": "vidcls.datasets.MovingShapes", "init_args": sizes},
                "num_folds": num_folds,
                "fold": fold,
                "seed": seed,
            },
            "trainer": {"max_epochs": len(curve), "max_time": None, "accelerator": "cpu", **(trainer or {})},
        }
        (folder / "config.yaml").write_text(yaml.safe_dump(settings))
        with (folder / "test.csv").open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(["path", "label", "group", "prediction", *(f"p_{name}" for name in CLASS_NAMES)])
            for number, (label, prediction) in enumerate(zip(labels, predictions, strict=True)):
                scores = [0.75 if name == prediction else 0.25 for name in CLASS_NAMES]
                table.writerow([f"{prefix}{number}", label, "", prediction, *scores])
        with (folder / "metrics.csv").open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(["epoch", "step", "train/loss", "val/top1"])
            for epoch, accuracy in enumerate(curve):
                table.writerow([epoch, 2 * epoch, 1.0, ""])
                table.writerow([epoch, 2 * epoch + 1, "", accuracy])
        test = {"checkpoint": "checkpoints/best.ckpt", "class_names": CLASS_NAMES, "views_per_video": 1}
        (folder / "test.json").write_text(json.dumps(test))
        if train_seconds is not None:
            record = {"is_trained": True, "train_seconds": train_seconds}
            (folder / "compare.json").write_text(json.dumps(record))
        return folder

    return make


@pytest.fixture
def cost() -> Cost:
    """Latency 2 ms, batches of 8 in 10 ms without and 40 ms with gradients, 3 MiB."""
    return Cost(
        num_parameters=33_496,
        num_multiply_adds=3_391_000,
        latency_seconds=[0.001, 0.002, 0.009],
        inference_seconds=[0.01],
        training_seconds=[0.04],
        training_peak_bytes=3 * 2**20,
        clip_shapes={"rgb": [1, 3, 1, 64, 64]},
        num_threads=2,
    )

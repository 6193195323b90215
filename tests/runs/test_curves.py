"""The columns of ``metrics.csv`` by step, and the validation accuracy by epoch."""

from __future__ import annotations

from pathlib import Path

from vidcls.runs.curves import read_curves, validation_curve

METRICS = """epoch,step,lr-SGD,train/loss,train/spatial_loss,val/loss,val/top1,other
0,9,,0.5,0.25,,,7
0,9,0.1,,,,,
0,9,,,,0.75,0.5,
1,19,,0.25,,,,
1,19,,,,,0.25,
1,21,,,,,0.75,
"""


def test_curves_are_read_from_the_columns_of_training_validation_and_learning_rate(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(METRICS)
    curves = {
        "train/loss": [(9, 0.5), (19, 0.25)],
        "train/spatial_loss": [(9, 0.25)],
        "lr-SGD": [(9, 0.1)],
        "val/loss": [(9, 0.75)],
        "val/top1": [(9, 0.5), (19, 0.25), (21, 0.75)],
    }
    assert read_curves(tmp_path / "metrics.csv") == curves
    del curves["lr-SGD"]
    assert read_curves(tmp_path / "metrics.csv", drawn=("train/", "val/")) == curves


def test_of_several_validations_in_an_epoch_the_last_one_counts(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(METRICS)
    assert validation_curve(tmp_path / "metrics.csv", "top1") == ((0, 0.5), (1, 0.75))

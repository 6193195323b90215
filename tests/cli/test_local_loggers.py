"""TensorBoard and MLflow, by a configuration each, in the run folder: one run for all starts of a training."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidcls.callbacks import MlflowRun, TensorBoardRun, local_loggers
from vidcls.cli import main
from vidcls.errors import MissingExtraError

ENDED = ["--trainer.enable_progress_bar", "false"]


def train_go_on_and_test(tiny: Path, logger: str) -> Path:
    """Two epochs, a third one, and a test, in the current folder."""
    shared = ["--trainer", logger, *ENDED]
    assert main(["fit", "--config", str(tiny), "--run", "run", *shared]) == 0
    assert main(["fit", "--run", "run", "--ckpt_path", "last", "--trainer.max_epochs", "3", *shared]) == 0
    assert main(["test", "--run", "run", *shared]) == 0
    return Path("run")


def test_tensorboard_has_the_metrics_of_all_epochs_and_of_the_test(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.chdir(tmp_path)
    events = EventAccumulator(str(train_go_on_and_test(tiny, "tensorboard") / "tensorboard"))
    events.Reload()
    assert len(events.Scalars("val/top1")) == 3
    assert len(events.Scalars("test/top1")) == 1
    assert {"curves", "test/confusion"} <= set(events.Tags()["images"])
    assert events.Images("test/confusion")[0].width > 100
    (text,) = events.Tensors("test/results/text_summary")
    assert b"| spatial |" in text.tensor_proto.string_val[0]
    assert (Path("run") / "tensorboard" / "hparams.yaml").is_file()
    assert not Path("lightning_logs").exists()


def test_mlflow_has_one_run_with_the_metrics_of_all_epochs_and_of_the_test(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("mlflow", "sqlalchemy", "alembic"):
        pytest.importorskip(module, reason="the extra mlflow is not installed")
    from mlflow import MlflowClient

    monkeypatch.chdir(tmp_path)
    run = train_go_on_and_test(tiny, "mlflow")
    client = MlflowClient(f"sqlite:///{run / 'mlflow.db'}")
    (experiment,) = [one for one in client.search_experiments() if one.name == "vidcls"]
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.info.run_name == "run"
    assert len(client.get_metric_history(found.info.run_id, "val/top1")) == 3
    assert 0 <= found.data.metrics["test/top1"] <= 1
    assert found.data.params["trainer/max_epochs"] == "2"
    files = {file.path for file in client.list_artifacts(found.info.run_id)}
    assert {"curves.png", "test_confusion.png", "test.csv", "test.json", "test_worst_confusions.csv"} <= files
    assert not Path("mlruns").exists()


@pytest.mark.parametrize(("logger", "extra"), [(TensorBoardRun, "tensorboard"), (MlflowRun, "mlflow")])
def test_without_its_library_a_logger_says_what_installs_it(
    monkeypatch: pytest.MonkeyPatch, logger: type, extra: str
) -> None:
    monkeypatch.setattr(local_loggers.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=rf"pip install 'vidcls\[{extra}\]'"):
        logger()

"""A training -> its metrics in TensorBoard or MLflow, kept in the run folder: nothing is sent anywhere."""

from __future__ import annotations

import importlib.util
import logging
import os
from argparse import Namespace
from pathlib import Path

from lightning.pytorch.loggers import MLFlowLogger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from vidcls.errors import MissingExtraError

TENSORBOARD_FOLDER = "tensorboard"
MLFLOW_DATABASE = "mlflow.db"
MLFLOW_FILES = "mlflow"


class TensorBoardRun(TensorBoardLogger):
    """Writes event files into ``tensorboard/`` of the run folder; a resumed training and a test add to them.

    The command line says which folder that is; elsewhere use ``lightning.pytorch.loggers.TensorBoardLogger``.

    Raises:
        MissingExtraError: tensorboard is not installed.
    """

    def __init__(self) -> None:
        _check_installed("tensorboard", "tensorboard")
        super().__init__(save_dir="", name="", version="", default_hp_metric=False)
        self.place(Path())

    def place(self, run: Path) -> None:
        """Say which folder is that of the run, before anything is logged."""
        self._folder = run / TENSORBOARD_FOLDER

    @property
    def log_dir(self) -> str:
        """The folder of the event files."""
        return str(self._folder)

    @property
    def save_dir(self) -> str:
        """The same."""
        return str(self._folder)


class MlflowRun(MLFlowLogger):
    """One MLflow run in the database ``mlflow.db`` of the run folder; a resumed training and a test continue it.

    Its parameters are the settings of the first start.

    The command line says which folder that is; for a server, or without the command line, use
    ``lightning.pytorch.loggers.MLFlowLogger``.

    Args:
        experiment_name: of the MLflow experiment.

    Raises:
        MissingExtraError: mlflow, or the library of its database, is not installed.
    """

    def __init__(self, experiment_name: str = "vidcls") -> None:
        for module in ("mlflow", "sqlalchemy", "alembic"):
            _check_installed(module, "mlflow")
        self.of_experiment = experiment_name

    def place(self, run: Path) -> None:
        """Say which folder is that of the run, before anything is logged."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when mlflow is imported
        from mlflow import MlflowClient

        for name in ("mlflow", "alembic"):  # a line for each table of the database
            logging.getLogger(name).setLevel(logging.WARNING)
        run.mkdir(parents=True, exist_ok=True)
        uri = f"sqlite:///{run / MLFLOW_DATABASE}"
        client = MlflowClient(uri)
        experiment = client.get_experiment_by_name(self.of_experiment)
        if experiment is None:
            client.create_experiment(self.of_experiment, artifact_location=str(run / MLFLOW_FILES))
        earlier = [] if experiment is None else client.search_runs([experiment.experiment_id], max_results=1)
        super().__init__(
            experiment_name=self.of_experiment,
            run_name=run.name,
            tracking_uri=uri,
            run_id=earlier[0].info.run_id if earlier else None,
        )
        self.is_continued = bool(earlier)

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, object] | Namespace) -> None:
        """The settings of the first start: MLflow lets no parameter of a run change."""
        if not self.is_continued:
            super().log_hyperparams(params)


def _check_installed(module: str, extra: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise MissingExtraError(f"the logger for {extra} needs {module}: pip install 'vidcls[{extra}]'")

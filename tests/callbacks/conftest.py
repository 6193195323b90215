"""A small training of three classes, and Weights & Biases without a network and without an account."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import Logger

from vidcls.datasets import VideoFolder
from vidcls.loading import VideoDataModule
from vidcls.transforms import TransformSettings

MakeTrainer = Callable[..., Trainer]


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_wandb_offline(tmp_path / "home", monkeypatch)


@pytest.fixture(scope="module")
def offline_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The same for what is made once for a whole file."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_wandb_offline(tmp_path_factory.mktemp("home"), monkeypatch)
        yield


def use_wandb_offline(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(home / "netrc"))
    for name in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(home / name))


@pytest.fixture(scope="session")
def small_data() -> Callable[..., VideoDataModule]:
    """Makes a data module over a data set of small clips; loads in the process itself."""

    def make(dataset: VideoFolder, **settings: object) -> VideoDataModule:
        transform = TransformSettings(resize_px=None, crop_px=32, train_crop="center", flip_probability=0)
        arguments = {"streams": ("rgb",), "transform": transform, "batch_size": 4, "num_workers": 0} | settings
        return VideoDataModule(dataset, **arguments)  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def small_trainer() -> MakeTrainer:
    """Makes a silent trainer for the CPU that keeps the best checkpoint as a run does."""

    def make(
        run: Path, *, logger: Logger | bool = False, callbacks: list[Callback] | None = None, **settings: object
    ) -> Trainer:
        best = ModelCheckpoint(
            dirpath=run / "checkpoints",
            filename="best",
            monitor="val/loss",
            enable_version_counter=False,
        )
        last = ModelCheckpoint(
            dirpath=run / "checkpoints",
            filename="last",
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        )
        arguments = {"max_epochs": 1, "num_sanity_val_steps": 0, "log_every_n_steps": 1} | settings
        return Trainer(
            accelerator="cpu",
            default_root_dir=run,
            logger=logger,
            callbacks=[*(callbacks or []), best, last],
            enable_progress_bar=False,
            enable_model_summary=False,
            **arguments,  # type: ignore[arg-type]
        )

    return make

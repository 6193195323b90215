"""What this package takes of others that they do not promise: each in one file, and still there.

A part that goes with a new version of its library fails here, and names the file that leans on it. They were checked
against lightning 2.6.6, torch 2.14.1, wandb 0.28 and decord2 3.4.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.loggers import CSVLogger, WandbLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher
from torch import nn
from torch.utils.data import DataLoader, get_worker_info
from torchmetrics import Metric

import vidcls
from vidcls.video.decord_reader import DecordReader

PACKAGE = Path(vidcls.__file__).parent


def used(file: Path) -> Iterator[str]:
    """Names with an underscore that a module takes of something which is not its own object."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.Attribute(value=ast.Name(id="self" | "cls")):
                continue
            case ast.Attribute(attr=name):
                yield name
            case ast.ImportFrom(module=str(module), names=names) if not module.startswith("vidcls"):
                yield from (alias.name for alias in names)
            case ast.Call(func=ast.Name(id="getattr" | "setattr"), args=[_, ast.Constant(value=str(name)), *_]):
                yield name


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


OF_PYTHON = {"_exit", "_fields"}
"""Documented, whatever it is called."""

TAKEN = {
    "callbacks/speed_up.py": {"_compiled_call_impl"},
    "cli/training.py": {"_prepare_subcommand_kwargs"},
    "jobs/ray_session.py": {"_private", "_worker_logs_enabled"},
    "loading/process_checks.py": {"_accelerator_connector", "_layer_sync"},
    "loading/sturdy_loader.py": {"_iterator", "_shutdown_workers", "_workers"},
    "remote/listing.py": {"_call_s3", "_strip_protocol"},
    "remote/requests.py": {"_call_s3", "_cat_file", "_info"},  # fsspec documents the coroutines of its file systems
    "remote/transfer.py": {"_put_file"},
    "tasks/multilabel_metrics.py": {"_sync_dist"},
    "training/svm_fusion.py": {"_load_from_state_dict"},  # documented for modules that change their state
    "video/decord_reader.py": {"_CAPI_VideoReaderGetCurrentPosition", "_handle"},
}


def test_each_is_taken_in_the_file_that_says_so_and_nowhere_else() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix(): names
        for path in sorted(PACKAGE.rglob("*.py"))
        if (names := {name for name in used(path) if is_private(name)} - OF_PYTHON)
    }
    assert found == TAKEN


def test_file_systems_of_object_stores_have_coroutines_and_one_way_to_ask_s3() -> None:
    s3fs = pytest.importorskip("s3fs")
    for name in ("_call_s3", "_cat_file", "_info", "_put_file", "_strip_protocol"):
        assert callable(getattr(s3fs.S3FileSystem, name))


def test_ray_says_whether_it_prints_what_its_workers_print() -> None:
    worker = pytest.importorskip("ray._private.worker")
    assert isinstance(worker._worker_logs_enabled, bool)


def test_a_metric_is_gathered_from_all_processes_in_one_place() -> None:
    assert callable(Metric._sync_dist)


def test_a_module_says_whether_it_is_compiled() -> None:
    module = nn.Linear(2, 2)
    assert module._compiled_call_impl is None
    module.compile(backend="eager")
    assert module._compiled_call_impl is not None


@pytest.mark.parametrize("asked", [True, False])
def test_a_trainer_says_how_its_batches_are_dealt_and_whether_batch_norm_is_shared(asked: bool, tmp_path: Path) -> None:
    trainer = Trainer(
        accelerator="cpu", use_distributed_sampler=asked, sync_batchnorm=asked, logger=False, default_root_dir=tmp_path
    )
    assert trainer._accelerator_connector.use_distributed_sampler is asked
    assert (trainer._accelerator_connector._layer_sync is not None) is asked


def test_a_loader_has_its_processes_and_ends_them() -> None:
    loader = DataLoader([1, 2, 3], num_workers=1, persistent_workers=True, collate_fn=number_of_worker)  # type: ignore[arg-type]
    batches = iter(loader)
    assert next(batches) == 0
    assert loader._iterator is batches
    workers = [*batches._workers]  # type: ignore[attr-defined]
    assert [worker.is_alive() for worker in workers] == [True]
    batches._shutdown_workers()  # type: ignore[attr-defined]
    assert [worker.is_alive() for worker in workers] == [False]


def number_of_worker(samples: list[int]) -> int:
    info = get_worker_info()
    assert info is not None
    return info.id


def test_decord_says_where_it_stands(clip_folder: Path) -> None:
    path = clip_folder / "test" / "left" / "0.avi"
    DecordReader(path).close()  # which imports decord so that the decoders beside it still work
    decord = importlib.import_module("decord")
    decoder = decord.VideoReader(str(path))
    decoder.seek_accurate(3)
    assert decord.video_reader._CAPI_VideoReaderGetCurrentPosition(decoder._handle) in (
        3,
        4,
    )  # 4 where it keeps a key frame


def test_the_launcher_of_lightning_keeps_its_processes() -> None:
    """Of which ``callbacks/process_watchdog.py`` takes the list."""
    from lightning.fabric.plugins.environments import LightningEnvironment

    assert _SubprocessScriptLauncher(LightningEnvironment(), num_processes=2, num_nodes=1).procs == []


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        # cli/training.py, cli/resolved_config.py
        (LightningCLI, {"_get", "_parse_ckpt_path", "_prepare_subcommand_kwargs", "_run_subcommand", "_set_seed"}),
        # callbacks/metrics_log.py
        (ExperimentWriter, {"_check_log_dir_exists", "_rewrite_with_new_header"}),
        (nn.Module, {"_load_from_state_dict"}),
    ],
)
def test_what_is_overridden_is_still_called_so(owner: type, names: set[str]) -> None:
    assert names <= {*dir(owner)}


def test_loggers_keep_their_state_where_ours_look_for_it(tmp_path: Path) -> None:
    """``callbacks/wandb_run.py`` and ``callbacks/metrics_log.py``."""
    logger = WandbLogger(save_dir=tmp_path, offline=True)
    assert {"anonymous", "dir", "id"} <= {*logger._wandb_init}
    assert (logger._experiment, logger._save_dir) == (None, str(tmp_path))
    assert hasattr(logger, "_id")
    assert CSVLogger(tmp_path)._experiment is None


def test_hooks_of_lightning_that_are_no_secret() -> None:
    """The names that callbacks and models of this package define, so that none of them is quietly never called."""
    for base, package in ((Callback, "callbacks"), (LightningModule, "models")):
        hooks = {name for path in (PACKAGE / package).glob("*.py") for name in defined_hooks(path)}
        assert hooks <= {*dir(base), "on_load_checkpoint", "on_save_checkpoint"}, hooks - {*dir(base)}


def defined_hooks(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef):
            yield from (f.name for f in node.body if isinstance(f, ast.FunctionDef) and f.name.startswith("on_"))

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
import wandb
from factories import two_stream
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.utilities import rank_zero_only
from wandb.proto.wandb_internal_pb2 import Record

import vidcls.callbacks
from vidcls.callbacks.wandb_media import WandbMedia
from vidcls.callbacks.wandb_run import WandbRun, sync_command
from vidcls.datasets import VideoFolder
from vidcls.errors import ConfigurationError
from vidcls.loading import VideoDataModule
from vidcls.models import TwoStream, read_checkpoint
from vidcls.training.optimization import OptimizationSettings
from vidcls.video import open_video

MakeData = Callable[..., VideoDataModule]
MakeTrainer = Callable[..., Trainer]
CONFIG = {"model": {"width": 7, "hub_token": "hidden"}, "API_KEY": "hidden", "data": {"num_tokens": 3, "token": None}}


@dataclass
class Training:
    run: Path
    data: VideoDataModule
    printed: str

    @property
    def folders(self) -> list[Path]:
        return sorted((self.run / "wandb").glob("offline-run-*"))

    @property
    def run_id(self) -> str:
        return self.folders[0].name.rpartition("-")[2]


@pytest.fixture(scope="module")
def training(
    tmp_path_factory: pytest.TempPathFactory,
    offline_module: None,
    clip_dataset: VideoFolder,
    small_data: MakeData,
    small_trainer: MakeTrainer,
) -> Training:
    """One epoch of a two-stream network."""
    run = tmp_path_factory.mktemp("runs") / "run"
    data = small_data(clip_dataset, streams=("rgb", "flow"), flow_len=2)
    with captured_lines() as lines:
        fit(run, data, small_trainer)
    return Training(run, data, "\n".join(lines))


def fit(
    run: Path, data: VideoDataModule, make_trainer: MakeTrainer, *, resume: str | None = None, epochs: int = 1
) -> None:
    logger = WandbRun(project="tests")
    logger.place(run)
    if resume is not None:
        logger.resume(resume)
    trainer = make_trainer(run, logger=logger, callbacks=[LearningRateMonitor(), WandbMedia()], max_epochs=epochs)
    logger.log_hyperparams(CONFIG)
    trainer.fit(model_of(data), data, ckpt_path=run / "checkpoints/last.ckpt" if resume else None, weights_only=True)


def model_of(data: VideoDataModule) -> TwoStream:
    optimization = OptimizationSettings(optimizer="sgd")
    return two_stream(class_names=data.class_names, clip=data.clip, optimization=optimization)


class captured_lines:
    """The lines that are said to the user, also in a fixture that is made once."""

    def __enter__(self) -> list[str]:
        self.lines: list[str] = []
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr("vidcls.callbacks.wandb_run.rank_zero_info", self.lines.append)
        return self.lines

    def __exit__(self, *error: object) -> None:
        self.patch.undo()


def records(folder: Path) -> list[Record]:
    """What a finished run folder says; the service of wandb may write the last records a little later than it says."""
    for _ in range(200):
        found = list(records_so_far(folder))
        if any(record.HasField("exit") for record in found):
            return found
        time.sleep(0.1)
    raise AssertionError(f"{folder}: the run was not finished")


def records_so_far(folder: Path) -> Iterator[Record]:
    """The records of the file, cut at blocks of 32 KiB, each piece behind 7 bytes (the log format of LevelDB)."""
    files = list(folder.glob("run-*.wandb"))  # none yet, where the service is slow
    content, position, record = files[0].read_bytes() if files else b"", 7, b""
    while position + 7 <= len(content):
        rest_of_block = 32768 - position % 32768
        if rest_of_block < 7:
            position += rest_of_block
            continue
        length, kind = int.from_bytes(content[position + 4 : position + 6], "little"), content[position + 6]
        record += content[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4) and position <= len(content):  # a whole record, or the last piece of one
            yield Record.FromString(record)
            record = b""


def history(folder: Path) -> dict[str, list[object]]:
    values: dict[str, list[object]] = {}
    for record in records(folder):
        for item in record.history.item:
            values.setdefault("/".join(item.nested_key) or item.key, []).append(json.loads(item.value_json))
    return values


def table(folder: Path, name: str) -> list[list[object]]:
    (path,) = (history(folder)[f"{name}/path"])[-1:]
    return json.loads((folder / "files" / str(path)).read_text())["data"]


def artifact_files(folder: Path, kind: str) -> dict[str, Path]:
    artifacts = [record.artifact for record in records(folder) if record.artifact.type == kind]
    return {entry.path: Path(entry.local_path) for artifact in artifacts for entry in artifact.manifest.contents}


def test_a_training_is_one_run_in_its_run_folder(training: Training) -> None:
    assert len(training.folders) == 1


def test_a_run_has_the_curves_of_each_stream_and_the_learning_rate(training: Training) -> None:
    curves = history(training.folders[0])
    assert len(curves["train/loss"]) == len(curves["train/spatial_loss"]) == len(curves["lr-SGD"]) == 3
    assert {"val/loss", "val/top1", "val/spatial_top1", "val/temporal_mean_class_accuracy"} <= curves.keys()


def test_a_run_has_the_configuration_without_what_is_named_like_a_secret(training: Training) -> None:
    config = {
        item.key: json.loads(item.value_json)
        for record in records(training.folders[0])
        for item in record.config.update
    }
    assert config["model"] == {"width": 7, "hub_token": "(left out)"}
    assert config["API_KEY"] == "(left out)"
    assert config["data"] == {"num_tokens": 3, "token": None}
    assert config["optimization"]["optimizer"] == "sgd"
    content = b"".join(file.read_bytes() for file in training.folders[0].rglob("*") if file.is_file())
    assert b"hidden" not in content


def test_the_confusion_matrix_of_validation_counts_every_video(training: Training) -> None:
    counts = table(training.folders[0], "val/confusion_counts")
    assert sorted(label for label, _, _ in counts) == ["left", "right", "still"]
    assert sum(int(str(count)) for _, _, count in counts) == 3
    right = sum(int(str(count)) for label, prediction, count in counts if label == prediction)
    assert right / 3 == pytest.approx(history(training.folders[0])["val/top1"][-1])
    picture = history(training.folders[0])["val/confusion/path"][-1]
    assert (training.folders[0] / "files" / str(picture)).read_bytes().startswith(b"\x89PNG")


def test_sample_videos_are_shown_with_the_answers_of_the_best_checkpoint(training: Training) -> None:
    rows = table(training.folders[0], "val/samples")
    assert [row[1] for row in rows] == ["val/left/0.avi", "val/right/0.avi", "val/still/0.avi"]
    assert [row[2] for row in rows] == ["left", "right", "still"]
    assert all(row[5] == (row[2] == row[3]) for row in rows)
    videos = [path for name, path in artifact_files(training.folders[0], "run_table").items() if name.endswith(".mp4")]
    assert len(videos) == 3
    for path in videos:
        copy = path.with_suffix(".mp4")
        copy.write_bytes(path.read_bytes())
        with open_video(copy) as video:
            assert (video.num_frames, video.info.codec, video.info.height_px) == (8, "h264", 32)


def test_the_best_checkpoint_is_staged_as_an_artifact(training: Training) -> None:
    (artifact,) = [r.artifact for r in records(training.folders[0]) if r.artifact.type == "model"]
    assert artifact.name == f"model-{training.run_id}"
    assert "best" in artifact.aliases
    staged = artifact_files(training.folders[0], "model")["best.ckpt"]
    assert staged.read_bytes() == (training.run / "checkpoints/best.ckpt").read_bytes()


def test_checkpoints_keep_the_id_of_the_run(training: Training) -> None:
    for name in ("best", "last"):
        assert read_checkpoint(training.run / f"checkpoints/{name}.ckpt").wandb_run_id == training.run_id


def test_offline_the_command_that_uploads_the_run_is_said(training: Training) -> None:
    assert training.printed.endswith(f"wandb sync {training.folders[0]}")


def test_the_upload_command_finds_folders_of_one_second_and_no_other_run(tmp_path: Path) -> None:
    of_this_run = ["offline-run-20260101_120000-ab12", "offline-run-20260101_120000-ab12-1"]
    for name in (*of_this_run, "offline-run-20260101_120000-cd34", "offline-run-20260101_120000-xab12"):
        (tmp_path / name / "files").mkdir(parents=True)
    run = SimpleNamespace(dir=str(tmp_path / of_this_run[1] / "files"), id="ab12")
    expected = " ".join(str(tmp_path / name) for name in of_this_run)
    assert sync_command(run) == f"wandb sync {expected}"  # type: ignore[arg-type]


def test_a_resumed_training_and_a_test_go_on_under_the_same_id_and_one_command_joins_them(
    training: Training, small_trainer: MakeTrainer, tmp_path: Path
) -> None:
    for file in (training.run / "checkpoints").iterdir():
        (tmp_path / "checkpoints").mkdir(exist_ok=True)
        (tmp_path / "checkpoints" / file.name).write_bytes(file.read_bytes())
    fit(tmp_path, training.data, small_trainer, resume=training.run_id, epochs=2)
    logger = WandbRun()
    logger.place(tmp_path)
    logger.resume(training.run_id)
    trainer = small_trainer(tmp_path, logger=logger, callbacks=[WandbMedia(num_samples=4)])
    model = model_of(training.data)
    with captured_lines() as lines:
        trainer.test(model, training.data, verbose=False)

    folders = sorted((tmp_path / "wandb").glob("offline-run-*"))
    assert len(folders) == 2
    assert all(f"-{training.run_id}" in folder.name for folder in folders)
    assert lines[-1].endswith(f"wandb sync {folders[0]} {folders[1]}")
    assert read_checkpoint(tmp_path / "checkpoints/last.ckpt").wandb_run_id == training.run_id

    assert min(history(folders[0])["trainer/global_step"]) >= 3  # goes on after the three steps before
    found = history(folders[1])
    results = {row[0]: row[1] for row in table(folders[1], "test/results")}
    assert {"model", "spatial", "temporal", "mean", "product"} <= results.keys()
    assert found["test/spatial_top1"][-1] == pytest.approx(results["spatial"])
    assert sum(int(str(row[2])) for row in table(folders[1], "test/confusion_counts")) == 7
    shown = table(folders[1], "test/samples")
    assert len(shown) == 4
    assert [row[5] for row in shown] == sorted(row[5] for row in shown)  # mistakes first


@pytest.mark.usefixtures("offline")
def test_two_trainings_in_one_process_are_two_runs(tmp_path: Path) -> None:
    first, second = WandbRun(), WandbRun()
    first.place(tmp_path / "first")
    second.place(tmp_path / "second")
    assert first.experiment.id != second.experiment.id
    for name, logger in (("first", first), ("second", second)):
        (folder,) = (tmp_path / name / "wandb").glob("offline-run-*")
        assert folder.name.endswith(f"-{logger.version}")
        logger.finalize("success")


@pytest.mark.usefixtures("offline")
def test_other_processes_make_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    logger = WandbRun()
    logger.place(tmp_path / "run")
    logger.experiment.log({"x": 1})
    logger.log_hyperparams({"x": 1})
    logger.finalize("success")
    assert not (tmp_path / "run").exists()


@pytest.fixture
def undecided(offline: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No account, and no word on whether to be online; wandb forgets what it read from the environment."""
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.setenv("WANDB_SILENT", "true")  # else it asks the server for the account's name
    wandb.teardown()
    yield
    wandb.teardown()


@pytest.mark.usefixtures("undecided")
def test_without_an_account_a_run_is_offline_and_one_line_says_so(tmp_path: Path) -> None:
    logger = WandbRun()
    logger.place(tmp_path / "run")
    with captured_lines() as lines:
        assert logger.experiment.offline
    assert len(lines) == 1
    assert "no account is configured" in lines[0]
    logger.finalize("success")


@pytest.mark.parametrize("where", ["WANDB_API_KEY", "NETRC"])
@pytest.mark.usefixtures("undecided")
def test_with_an_account_a_run_is_online(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, asked = "0" * 40, {}
    if where == "NETRC":
        (tmp_path / "home").mkdir(exist_ok=True)
        (tmp_path / "home/netrc").write_text(f"machine api.wandb.ai\n  login user\n  password {key}\n")
    else:
        monkeypatch.setenv(where, key)
    monkeypatch.setattr(wandb, "init", lambda **settings: asked.update(settings))
    logger = WandbRun()
    logger.place(tmp_path / "run")
    logger._start()
    assert asked["mode"] == "online"


@pytest.mark.usefixtures("undecided")
def test_wandb_mode_online_without_an_account_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "online")
    logger = WandbRun()
    logger.place(tmp_path / "run")
    with pytest.raises(ConfigurationError, match="WANDB_MODE is online, but no account is configured: run wandb login"):
        _ = logger.experiment


@pytest.mark.usefixtures("offline")
def test_a_run_that_cannot_be_started_is_one_line_that_says_how_to_fix_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_settings: object) -> None:
        raise wandb.errors.CommError("no answer in 90 s\nmore")

    monkeypatch.setattr(wandb, "init", fail)
    logger = WandbRun()
    logger.place(tmp_path / "run")
    with pytest.raises(
        ConfigurationError, match=r"could not start the run \(no answer in 90 s\): set WANDB_MODE=offline"
    ):
        _ = logger.experiment


@pytest.mark.usefixtures("offline")
def test_wandb_mode_disabled_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    logger = WandbRun()
    logger.place(tmp_path / "run")
    logger.log_metrics({"x": 1.0}, step=0)
    logger.finalize("success")
    assert not list(tmp_path.glob("run/wandb/*"))


@pytest.mark.parametrize("given", ["Offline", "OFFLINE ", "dryRun"])
@pytest.mark.usefixtures("undecided")
def test_wandb_mode_may_be_written_in_capitals(given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", given)
    logger = WandbRun()
    logger.place(tmp_path / "run")
    assert logger.experiment.offline
    logger.finalize("success")


@pytest.mark.usefixtures("undecided")
def test_an_unknown_wandb_mode_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "of")
    logger = WandbRun()
    logger.place(tmp_path / "run")
    with pytest.raises(ConfigurationError, match="WANDB_MODE is 'of': expected one of online, offline, disabled"):
        _ = logger.experiment


@pytest.mark.usefixtures("offline")
def test_a_run_that_ended_badly_is_finished_as_such(tmp_path: Path) -> None:
    logger = WandbRun()
    logger.place(tmp_path / "run")
    logger.log_metrics({"x": 1.0}, step=0)
    logger.finalize("failed")
    (folder,) = (tmp_path / "run" / "wandb").glob("offline-run-*")
    assert [record.exit.exit_code for record in records(folder) if record.HasField("exit")] == [1]


@pytest.mark.usefixtures("offline")
def test_files_are_staged_in_the_run_where_the_home_folder_cannot_be_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_DATA_DIR", "to be restored")
    monkeypatch.delenv("WANDB_DATA_DIR")
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file" / "share"))
    logger = WandbRun()
    logger.place(tmp_path / "run")
    artifact = wandb.Artifact("model", type="model")
    (tmp_path / "best.ckpt").touch()
    logger.experiment  # noqa: B018 - starts the run
    artifact.add_file(str(tmp_path / "best.ckpt"))
    logger.finalize("success")
    assert list((tmp_path / "run" / "wandb" / "staging").rglob("*"))


def test_what_cannot_be_staged_is_one_warning_that_says_what_helps_and_the_training_is_kept(
    tmp_path: Path,
    offline: None,
    clip_dataset: VideoFolder,
    small_data: MakeData,
    small_trainer: MakeTrainer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_given: object, **_named: object) -> None:
        raise OSError(28, "No space left on device", "/tmp/confusion.png")

    monkeypatch.setattr("vidcls.callbacks.wandb_media.draw_confusion_matrix", full)
    monkeypatch.setattr(wandb.Artifact, "add_file", full)
    data = small_data(clip_dataset, streams=("rgb", "flow"), flow_len=2)
    with pytest.warns(UserWarning, match="W&B: ") as said:
        fit(tmp_path, data, small_trainer)
    lines = [str(warning.message) for warning in said if str(warning.message).startswith("W&B: ")]
    assert [line.partition(" (")[0] for line in lines] == [
        "W&B: the confusion matrix of the validation was not logged",
        "W&B: the best checkpoint was not logged",
        "W&B: validation videos were not logged",
    ]
    assert all("/tmp/confusion.png: No space left on device" in line and "TMPDIR" in line for line in lines)
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    assert [record.exit.exit_code for record in records(folder) if record.HasField("exit")] == [0]
    assert (tmp_path / "checkpoints" / "last.ckpt").is_file()


def test_wandb_is_imported_only_where_it_is_used() -> None:
    for file in Path(vidcls.callbacks.__file__).parent.glob("*.py"):
        for statement in ast.parse(file.read_text()).body:  # of the module itself, not of functions
            assert not (isinstance(statement, ast.Import) and "wandb" in [name.name for name in statement.names])
            assert not (isinstance(statement, ast.ImportFrom) and (statement.module or "").split(".")[0] == "wandb")


TWO_PROCESSES = """
import sys
from pathlib import Path

from lightning.pytorch import Trainer

from vidcls.callbacks import SkippedVideos, WandbMedia, WandbRun
from vidcls.loading import VideoDataModule
from vidcls.datasets import VideoFolder
from vidcls.models import SingleFrame
from vidcls.transforms import TransformSettings

run = Path(sys.argv[2])
transform = TransformSettings(resize_px=None, crop_px=32, flip_probability=0)
dataset = VideoFolder(Path(sys.argv[1]))
data = VideoDataModule(
    dataset, transform=transform, batch_size=2, test_batch_size=1, num_workers=0, bad_videos="skip", max_bad_share=0.5
)
model = SingleFrame(class_names=data.class_names, clip=data.clip, backbone="small")
logger = WandbRun()
logger.place(run)
trainer = Trainer(
    accelerator="cpu", devices=2, strategy="ddp", use_distributed_sampler=False, max_epochs=1, log_every_n_steps=1,
    num_sanity_val_steps=0, enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
    default_root_dir=run, logger=logger, callbacks=[WandbMedia(), SkippedVideos()],
)
trainer.fit(model, data)
"""


@pytest.mark.slow
@pytest.mark.usefixtures("offline")
def test_two_processes_make_one_run_that_counts_the_videos_of_both(clip_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(clip_folder, tmp_path / "clips")
    for label in ("left", "right", "still"):
        (tmp_path / "clips/train" / label / "0.avi").write_bytes(b"no video")
    (tmp_path / "train.py").write_text(TWO_PROCESSES)
    command = [sys.executable, "train.py", "clips", "run"]
    # The service of W&B that this process has started is not that of a training of its own.
    environment = {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, timeout=300)
    (folder,) = (tmp_path / "run/wandb").glob("offline-run-*")
    assert sum(int(str(count)) for _, _, count in table(folder, "val/confusion_counts")) == 3
    assert history(folder)["train/skipped_videos"] == [3.0]
    assert len((tmp_path / "run/skipped.csv").read_text().splitlines()) == 1 + 3

"""Weights shared between processes (FSDP2): losses and weights of DDP, and checkpoints that one process reads."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import EMAWeightAveraging
from torch import nn

from tests.shared.factories import video_data
from vidcls import Predictor
from vidcls.callbacks import LayerStatistics, SpeedUp
from vidcls.datasets import VideoFolder
from vidcls.errors import ConfigurationError
from vidcls.loading.process_checks import check_processes
from vidcls.models import SingleFrame
from vidcls.training.sharded import Sharded, units

SCRIPT = Path(__file__).parent / "sharded_processes.py"
NAMES = ("two_stream", "recurrent")


@pytest.fixture(scope="module")
def folder(clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes have trained by DDP and with shared weights."""
    folder = tmp_path_factory.mktemp("sharded")
    command = [sys.executable, str(SCRIPT), str(clip_folder), str(folder)]
    with (folder / "log").open("w") as log:
        job = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            status = job.wait(timeout=280)
        finally:
            with contextlib.suppress(ProcessLookupError):  # the other processes are children of the first
                os.killpg(job.pid, signal.SIGKILL)
    assert status == 0, (folder / "log").read_text()[-3000:]
    return folder


def test_the_losses_are_those_of_ddp_also_after_its_checkpoint(folder: Path) -> None:
    found = torch.load(folder / "found.pt")
    for name in NAMES:
        ddp = found[f"{name}_DDPStrategy"]
        assert len(ddp) == 9  # a sanity check, and two epochs of three steps and a validation
        assert found[f"{name}_Sharded"] == pytest.approx(ddp, abs=1e-5)
    second_epoch = [1, 5, 6, 7, 8]
    assert found["again"][1:] == pytest.approx([found["two_stream_DDPStrategy"][k] for k in second_epoch[1:]], abs=1e-5)


def test_a_checkpoint_is_one_whole_file_that_predicts_on_one_process(folder: Path, clip_folder: Path) -> None:
    for name in NAMES:
        ours = torch.load(folder / f"{name}_Sharded_1.ckpt", weights_only=True)
        ddp = torch.load(folder / f"{name}_DDPStrategy_1.ckpt", weights_only=True)
        assert ours.keys() == ddp.keys()
        assert ours["state_dict"].keys() == ddp["state_dict"].keys()
        for key, value in ddp["state_dict"].items():
            torch.testing.assert_close(ours["state_dict"][key], value, rtol=0, atol=1e-5, msg=key)
    assert bool(torch.load(folder / "two_stream_Sharded_1.ckpt", weights_only=True)["state_dict"]["svm.is_fitted"])
    ours, ddp = (
        Predictor(folder / f"two_stream_{strategy}_1.ckpt")(clip_folder / "test" / "left" / "0.avi").scores
        for strategy in ("Sharded", "DDPStrategy")
    )
    assert ours == pytest.approx(ddp, abs=1e-5)


@pytest.fixture
def one_process() -> Iterator[None]:
    yield
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


@pytest.mark.usefixtures("one_process")
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"callbacks": [EMAWeightAveraging()]}, "EMAWeightAveraging works on whole weights: remove it"),
        ({"callbacks": [SpeedUp()]}, "SpeedUp works on whole weights"),
        ({"callbacks": [LayerStatistics()]}, "LayerStatistics works on whole weights"),
    ],
)
def test_what_does_not_work_with_shared_weights_is_refused(
    clip_folder: Path, tmp_path: Path, settings: dict[str, object], said: str
) -> None:
    data = video_data(VideoFolder(clip_folder), batch_size=4)
    model = SingleFrame(class_names=data.class_names, clip=data.clip, backbone="small")
    trainer = Trainer(
        default_root_dir=tmp_path,
        accelerator="cpu",
        devices=1,
        strategy=Sharded(),
        logger=False,
        max_epochs=1,
        **settings,
    )
    with pytest.raises(ConfigurationError, match=said):
        trainer.fit(model, data)


def test_weights_that_a_model_holds_itself_are_refused() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 2)
            self.scale = nn.Parameter(torch.ones(2))

    with pytest.raises(ConfigurationError, match="Scaled holds scale itself: use --trainer ddp"):
        units(Scaled())


def test_batch_norm_over_all_processes_is_refused() -> None:
    connector = SimpleNamespace(use_distributed_sampler=False, _layer_sync=object())
    trainer = SimpleNamespace(world_size=2, strategy=Sharded(), _accelerator_connector=connector)
    with pytest.raises(ConfigurationError, match="--trainer fsdp: sync_batchnorm: true has no effect on it"):
        check_processes(trainer, bad_videos="error")  # type: ignore[arg-type]

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from jsonargparse import Namespace
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser

from vidcls.callbacks import WarmupEMA
from vidcls.datasets import VideoFolder
from vidcls.loading import VideoDataModule
from vidcls.models import SingleFrame, load_classifier
from vidcls.training.optimization import OptimizationSettings

MakeData = Callable[..., VideoDataModule]
MakeTrainer = Callable[..., Trainer]
FOLDER = Path(__file__).parents[2] / "configs/trainer"


def parsed(*arguments: str) -> Namespace:
    parser = LightningArgumentParser(exit_on_error=False)
    parser.add_lightning_class_args(Trainer, "trainer")
    return parser.parse_args(list(arguments))


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yaml")), ids=lambda file: file.stem)
def test_a_trainer_section_parses_and_its_first_line_has_the_command_that_uses_it(file: Path) -> None:
    assert f"vidcls fit --config two_stream --trainer {file.stem}" in file.read_text().splitlines()[0]
    assert parsed("--trainer", str(file)).trainer is not None


def test_ddp_leaves_the_dealing_of_batches_to_the_data_module() -> None:
    trainer = parsed("--trainer", str(FOLDER / "ddp.yaml"), "--trainer.num_nodes", "2").trainer
    assert (trainer.strategy, trainer.accelerator, trainer.num_nodes) == ("ddp", "gpu", 2)
    assert trainer.use_distributed_sampler is False
    assert trainer.sync_batchnorm is True


def test_sections_add_up_but_a_list_replaces_the_list_before_it() -> None:
    trainer = parsed("--trainer", str(FOLDER / "gpu.yaml"), "--trainer", str(FOLDER / "wandb.yaml")).trainer
    assert trainer.accelerator == "gpu"
    assert trainer.logger.class_path == "vidcls.callbacks.WandbRun"
    own = ["--trainer.callbacks+=EarlyStopping", "--trainer.callbacks.monitor=val/loss"]
    replaced = parsed(*own, "--trainer", str(FOLDER / "ema.yaml")).trainer.callbacks
    assert [callback.class_path.rpartition(".")[2] for callback in replaced] == ["WarmupEMA"]
    both = parsed("--trainer", str(FOLDER / "ema.yaml"), *own).trainer.callbacks
    assert [callback.class_path.rpartition(".")[2] for callback in both] == ["WarmupEMA", "EarlyStopping"]


def averaging() -> WarmupEMA:
    (callback,) = parsed("--trainer", str(FOLDER / "ema.yaml")).trainer.callbacks
    return WarmupEMA(**callback.init_args.as_dict())


def train(
    run: Path, data: VideoDataModule, make_trainer: MakeTrainer, *, max_epochs: int, ckpt_path: Path | None = None
) -> SingleFrame:
    torch.manual_seed(0)
    model = SingleFrame(
        class_names=data.class_names,
        clip=data.clip,
        backbone="small",
        optimization=OptimizationSettings(lr=0.1, schedule="constant"),
    )
    trainer = make_trainer(run, callbacks=[averaging()], max_epochs=max_epochs)
    trainer.fit(model, data, ckpt_path=ckpt_path, weights_only=True)
    return model


class Weights(Callback):
    """The weights of a network after each step."""

    def __init__(self) -> None:
        self.after: list[torch.Tensor] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: object) -> None:
        self.after.append(torch.cat([parameter.detach().flatten() for parameter in pl_module.parameters()]))


def test_the_average_is_that_of_the_weights_of_all_steps_with_a_decay_that_rises(
    tmp_path: Path, clip_dataset: VideoFolder, small_data: MakeData, small_trainer: MakeTrainer
) -> None:
    weights = Weights()
    data = small_data(clip_dataset)
    torch.manual_seed(0)
    model = SingleFrame(class_names=data.class_names, clip=data.clip, backbone="small")
    small_trainer(tmp_path, callbacks=[averaging(), weights], max_epochs=1).fit(model, data)
    average = weights.after[0]
    for number, later in enumerate(weights.after[1:], start=1):
        kept = (1 + number) / (10 + number)  # 0.999 only after 9000 steps
        average = kept * average + (1 - kept) * later
    found = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    assert len(weights.after) > 2
    assert torch.allclose(found, average, atol=1e-6)


def test_checkpoints_hold_the_average_of_the_weights_and_a_resumed_training_ends_bit_equal(
    tmp_path: Path, clip_dataset: VideoFolder, small_data: MakeData, small_trainer: MakeTrainer
) -> None:
    whole = train(tmp_path / "whole", small_data(clip_dataset), small_trainer, max_epochs=2)
    last = tmp_path / "whole/checkpoints/last.ckpt"
    content = torch.load(last, weights_only=True)
    average, current = content["state_dict"], content["current_model_state"]
    assert any(not torch.equal(average[name], current[name]) for name in average)
    loaded = load_classifier(last).state_dict()
    for name, value in whole.state_dict().items():  # after fit, the model has the average too
        assert torch.equal(loaded[name], value), name

    train(tmp_path / "cut", small_data(clip_dataset), small_trainer, max_epochs=1)
    resumed = train(
        tmp_path / "cut",
        small_data(clip_dataset),
        small_trainer,
        max_epochs=2,
        ckpt_path=tmp_path / "cut/checkpoints/last.ckpt",
    )
    for name, value in resumed.state_dict().items():
        assert torch.equal(value, loaded[name]), name

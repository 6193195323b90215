"""The support vector machine at the end of a training: fitted for each checkpoint, and nothing else is touched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything
from torch import Tensor

from vidcls.callbacks import SvmFit
from vidcls.callbacks.wandb_samples import scores_of
from vidcls.datasets import VideoFolder
from vidcls.errors import DivergedError
from vidcls.loading import VideoDataModule
from vidcls.models import SingleFrame, TwoStream, VideoClassifier, load_classifier
from vidcls.training.optimization import OptimizationSettings
from vidcls.training.svm_fusion import SvmFusion

MakeData = Callable[..., VideoDataModule]
MakeTrainer = Callable[..., Trainer]


@pytest.fixture(scope="module")
def fitted(
    clip_dataset: VideoFolder,
    small_data: MakeData,
    small_trainer: MakeTrainer,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, TwoStream, VideoDataModule]:
    """The checkpoints of a training of three epochs with the callback, the model after it, and the data."""
    run = tmp_path_factory.mktemp("run")
    seed_everything(0)
    data = small_data(clip_dataset, streams=("rgb", "flow"), flow_len=3)
    model = TwoStream(
        class_names=data.class_names,
        clip=data.clip,
        spatial="small",
        temporal="small",
        optimization=OptimizationSettings(lr=0.8, schedule="constant"),
    )
    files = [run / "checkpoints" / name for name in ("last.ckpt", "best.ckpt", "never_written.ckpt")]
    small_trainer(run, callbacks=[SvmFit(files)], max_epochs=3).fit(model, data)
    return run / "checkpoints", model, data


def svm_of(file: Path) -> dict[str, Tensor]:
    state = torch.load(file, weights_only=True)["state_dict"]
    return {name.removeprefix("svm."): value for name, value in state.items() if name.startswith("svm.")}


@pytest.mark.parametrize("which", ["best", "last"])
def test_each_checkpoint_has_the_machine_of_its_own_weights(
    fitted: tuple[Path, TwoStream, VideoDataModule], which: str
) -> None:
    checkpoints, _, data = fitted
    model = load_classifier(checkpoints / f"{which}.ckpt")
    assert isinstance(model, TwoStream)
    probabilities, labels = [], []
    with torch.inference_mode():
        for batch in data.single_view_loader("train"):
            batch = data.on_after_batch_transfer(batch, 0)
            parts = model.forward_parts(batch["streams"]["rgb"], batch["streams"]["flow"])
            probabilities.append(torch.stack([parts[part].softmax(dim=-1) for part in model.parts]))
            labels.append(batch["label"])
    expected = SvmFusion(num_parts=2, task=model.task)
    expected.fit(torch.cat(probabilities, dim=1), torch.cat(labels))
    assert len(torch.cat(labels)) == 12
    for name, value in svm_of(checkpoints / f"{which}.ckpt").items():
        torch.testing.assert_close(value, expected.state_dict()[name], atol=1e-4, rtol=1e-4)
    assert bool(model.svm.is_fitted)


def test_the_two_checkpoints_differ_in_weights_and_so_in_their_machines(
    fitted: tuple[Path, TwoStream, VideoDataModule],
) -> None:
    best, last = (svm_of(fitted[0] / f"{which}.ckpt") for which in ("best", "last"))
    steps = [torch.load(fitted[0] / f"{w}.ckpt", weights_only=True)["global_step"] for w in ("best", "last")]
    assert steps[0] < steps[1]
    assert not torch.equal(best["weight"], last["weight"])


def test_clips_are_not_mixed_for_it_where_those_of_training_are(
    clip_dataset: VideoFolder, small_data: MakeData, small_trainer: MakeTrainer, tmp_path: Path
) -> None:
    """With a learning rate of nothing both trainings end with the same weights, whatever they saw."""
    machines = []
    for alpha in (0.0, 1.0):
        seed_everything(0)
        data = small_data(clip_dataset, streams=("rgb", "flow"), flow_len=3, mixup_alpha=alpha)
        model = TwoStream(
            class_names=data.class_names,
            clip=data.clip,
            spatial="small",
            temporal="small",
            optimization=OptimizationSettings(lr=1e-12, schedule="constant"),
        )
        for module in model.modules():  # their statistics follow what they see
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 0.0
        file = tmp_path / str(alpha) / "checkpoints" / "last.ckpt"
        small_trainer(tmp_path / str(alpha), callbacks=[SvmFit([file])], max_epochs=1).fit(model, data)
        machines.append(svm_of(file))
    for name, value in machines[0].items():
        torch.testing.assert_close(value, machines[1][name], atol=1e-4, rtol=1e-4)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("precision", ["bf16-true", "64-true"])
def test_networks_of_another_precision_are_fitted_tested_and_shown(
    precision: str,
    clip_dataset: VideoFolder,
    small_data: MakeData,
    small_trainer: MakeTrainer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    seed_everything(0)
    data = small_data(clip_dataset, streams=("rgb", "flow"), flow_len=3, mixup_alpha=1.0)
    model = TwoStream(class_names=data.class_names, clip=data.clip, spatial="small", temporal="small")
    file = tmp_path / "checkpoints" / "last.ckpt"
    trainer = small_trainer(tmp_path, callbacks=[SvmFit([file])], max_epochs=1, precision=precision)
    trainer.fit(model, data)
    assert "fitting the SVM over the streams' scores, for the table of the test" in capsys.readouterr().out.splitlines()
    assert model.dtype == {"bf16-true": torch.bfloat16, "64-true": torch.float64}[precision]
    assert svm_of(file)["is_fitted"]
    assert scores_of(model, data, [0, 1]).shape == (2, 3)
    trainer.test(model, data, ckpt_path=str(file))
    assert model.test_scores is not None
    assert len(model.test_scores.scores["svm"]) == 7


def test_the_network_in_memory_and_the_other_entries_of_a_checkpoint_stay(
    fitted: tuple[Path, TwoStream, VideoDataModule],
) -> None:
    checkpoints, model, _ = fitted
    content = torch.load(checkpoints / "last.ckpt", weights_only=True)
    for name, value in model.state_dict().items():
        if not name.startswith("svm."):
            assert torch.equal(value, content["state_dict"][name]), name
    assert {"optimizer_states", "lr_schedulers", "loops", "callbacks", "vidcls"} <= content.keys()
    assert model.training
    assert sorted(path.name for path in checkpoints.iterdir()) == ["best.ckpt", "last.ckpt"]


def test_a_model_without_parts_is_left_alone(
    tmp_path: Path, clip_dataset: VideoFolder, small_data: MakeData, small_trainer: MakeTrainer
) -> None:
    data = small_data(clip_dataset)
    model: VideoClassifier = SingleFrame(class_names=data.class_names, clip=data.clip, backbone="small")
    file = tmp_path / "checkpoints" / "last.ckpt"
    small_trainer(tmp_path, callbacks=[SvmFit([file])]).fit(model, data)
    assert not any(name.startswith("svm") for name in torch.load(file, weights_only=True)["state_dict"])


class Spoiled(Callback):
    """Spoils the weights in a checkpoint at the end of the training."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        content = torch.load(self.file, weights_only=True)
        content["state_dict"] = {name: value * float("nan") for name, value in content["state_dict"].items()}
        torch.save(content, self.file)


def test_scores_that_are_not_finite_are_an_error_that_names_the_first_video(
    clip_dataset: VideoFolder, small_data: MakeData, small_trainer: MakeTrainer, tmp_path: Path
) -> None:
    data = small_data(clip_dataset, streams=("rgb", "flow"), flow_len=3)
    model = TwoStream(class_names=data.class_names, clip=data.clip, spatial="small", temporal="small")
    last = tmp_path / "checkpoints/last.ckpt"
    trainer = small_trainer(tmp_path, callbacks=[Spoiled(last), SvmFit([last])])
    with pytest.raises(DivergedError, match=r"the scores of train/left/0\.avi are not finite after 3 steps"):
        trainer.fit(model, data)
    assert all(torch.isfinite(parameter).all() for parameter in model.parameters())

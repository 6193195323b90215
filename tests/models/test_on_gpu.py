"""Every model on a GPU that is not there: training, validation and test steps, in the precisions and memory formats."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import pytest
import torch
from every_model import MODELS, small
from fake_cuda import CUDA, devices_of, fake_gpu, mixed_precision, on_gpu, without_synchronisation
from torch.optim.swa_utils import get_ema_multi_avg_fn

from vidcls.callbacks.speed_up import channels_last
from vidcls.models import VideoClassifier
from vidcls.models.input_shapes import input_shapes
from vidcls.training.losses import LossSettings
from vidcls.training.svm_fusion import SvmFusion
from vidcls.types import Batch, ClipSettings

pytestmark = pytest.mark.filterwarnings("ignore")

CLASSES = [f"class{k}" for k in range(7)]  # enough for top-5
CLIP = ClipSettings(num_snippets=2, clip_len=4, flow_len=3)
NUM_VIDEOS = 4
MODES: dict[str, Callable[[], object]] = {
    "fp32": nullcontext,
    "bf16": mixed_precision,
    "channels last": nullcontext,
}


@pytest.fixture(params=MODELS, ids=lambda model_class: model_class.__name__)
def model(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> VideoClassifier:
    built = small(request.param, CLASSES, CLIP, loss=LossSettings(label_smoothing=0.1, class_weights={"class1": 2.0}))
    monkeypatch.setattr(built, "log", lambda *_args, **_kwargs: None)
    monkeypatch.setattr(built, "log_dict", lambda *_args, **_kwargs: None)
    return built


def batch_on_gpu(model: VideoClassifier, *, num_views: int | None = None, are_mixed: bool = False) -> Batch:
    shapes = input_shapes(model.streams, model.clip, 24, num_clips=NUM_VIDEOS)
    if num_views is not None:
        shapes = [(NUM_VIDEOS, num_views, *shape[1:]) for shape in shapes]
    batch = Batch(
        streams={s.name: torch.empty(shape, device=CUDA) for s, shape in zip(model.streams, shapes, strict=True)},
        label=torch.empty(NUM_VIDEOS, dtype=torch.long, device=CUDA),
        index=torch.empty(NUM_VIDEOS, dtype=torch.long, device=CUDA),
    )
    if are_mixed:
        batch["target"] = torch.empty(NUM_VIDEOS, len(CLASSES), device=CUDA)
    return batch


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("are_mixed", [False, True], ids=["labels", "mixed"])
def test_a_training_step_stays_on_the_gpu_and_never_waits(model: VideoClassifier, mode: str, are_mixed: bool) -> None:
    if mode == "channels last":
        channels_last(model)
    with fake_gpu() as fake:
        on_gpu(model, fake)
        batch = batch_on_gpu(model, are_mixed=are_mixed)
        with without_synchronisation(), MODES[mode]():  # type: ignore[attr-defined]
            loss = model.train().training_step(batch, 0)  # type: ignore[arg-type]
    assert (loss.device, loss.shape) == (CUDA, ())
    assert loss.dtype == torch.float32


def test_a_validation_step_stays_on_the_gpu_and_never_waits(model: VideoClassifier) -> None:
    with fake_gpu() as fake:
        on_gpu(model, fake)
        with without_synchronisation(), mixed_precision():
            model.eval().validation_step(batch_on_gpu(model), 0)  # type: ignore[arg-type]
        assert devices_of([metric.metric_state for metric in model.val_metrics.values()]) == {"cuda"}


@pytest.mark.parametrize("mode", MODES)
def test_scores_of_all_views_stay_on_the_gpu_in_float32(model: VideoClassifier, mode: str) -> None:
    if isinstance(svm := getattr(model, "svm", None), SvmFusion):
        svm.answers = True
    if mode == "channels last":
        channels_last(model)
    with fake_gpu() as fake:
        on_gpu(model, fake)
        with without_synchronisation(), MODES[mode]():  # type: ignore[attr-defined]
            scores = model.eval().scorer.videos(batch_on_gpu(model, num_views=3)["streams"])
    assert devices_of(scores) == {"cuda"}
    assert {(row.shape, row.dtype) for row in scores.values()} == {((NUM_VIDEOS, len(CLASSES)), torch.float32)}


def test_a_test_step_brings_its_scores_to_the_cpu(model: VideoClassifier) -> None:
    model.finite.is_on = False  # it would ask for values, which fake tensors lack
    with fake_gpu() as fake:
        on_gpu(model, fake)
        model.eval().on_test_epoch_start()
        model.test_step(batch_on_gpu(model, num_views=2), 0)  # type: ignore[arg-type]
        kept = [(shard.scores, shard.labels, shard.indices) for shard in model._test_tally._shards]
    assert devices_of(kept) == {"cpu"}


def test_a_moving_average_of_the_weights_stays_on_the_gpu(model: VideoClassifier) -> None:
    with fake_gpu() as fake:
        on_gpu(model, fake)
        weights = list(model.parameters())
        average = [torch.empty_like(weight) for weight in weights]
        with without_synchronisation(), torch.no_grad():
            get_ema_multi_avg_fn(0.99)(average, weights, torch.empty((), dtype=torch.long, device=CUDA))
    assert devices_of(average) == {"cuda"}

"""What every architecture promises; a new one joins by being defined in ``vidcls.models``."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from every_model import CHEAP, MODELS, small
from lightning.pytorch import Trainer
from torch import Tensor

from vidcls.errors import ConfigurationError
from vidcls.explain import heat_maps
from vidcls.models import HasParts, VideoClassifier, load_classifier
from vidcls.models.input_shapes import input_shapes
from vidcls.tasks import TASKS
from vidcls.training.losses import LossSettings
from vidcls.types import Batch, ClipSettings

pytestmark = pytest.mark.filterwarnings("ignore")

TrainOn = Callable[..., Trainer]

CLASSES = ["left", "right", "still"]
OF_ONE_LENGTH = ("ThreeStream", "TwoStream", "TwoStreamFusion")  # whose first layers take so many fields
CLIP = ClipSettings(num_snippets=2, clip_len=4, flow_len=3)


@pytest.fixture(params=MODELS, ids=lambda model_class: model_class.__name__)
def model_class(request: pytest.FixtureRequest) -> type[VideoClassifier]:
    return request.param


@pytest.fixture
def model(model_class: type[VideoClassifier]) -> VideoClassifier:
    torch.manual_seed(0)
    return build(model_class)


def build(model_class: type[VideoClassifier], clip: ClipSettings = CLIP) -> VideoClassifier:
    return small(model_class, CLASSES, clip)


def streams_of(model: VideoClassifier, *, num_videos: int = 4, side_px: int = 24) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = input_shapes(model.streams, model.clip, side_px, num_clips=num_videos)
    return [torch.randn(shape, generator=generator) for shape in shapes]


def names_of(model: VideoClassifier) -> list[str]:
    return [stream.name for stream in model.streams]


def batch_of(model: VideoClassifier) -> Batch:
    streams = dict(zip(names_of(model), streams_of(model), strict=True))
    return {"streams": streams, "label": torch.tensor([0, 1, 2, 1]), "index": torch.arange(4)}


def test_the_models_are_found() -> None:
    assert set(CHEAP) == {model_class.__name__ for model_class in MODELS}


def test_the_logits_are_one_row_a_video_and_finite(model: VideoClassifier) -> None:
    logits = model(*streams_of(model))
    assert logits.shape == (4, 3)
    assert torch.isfinite(logits).all()


def test_every_parameter_that_is_trained_gets_a_gradient(
    model: VideoClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "log", lambda *_args, **_kwargs: None)
    monkeypatch.setattr(model, "log_dict", lambda *_args, **_kwargs: None)
    model.train()
    model.training_step(batch_of(model), 0).backward()  # type: ignore[arg-type]
    without = [n for n, p in model.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.abs().sum())]
    assert without == []


def test_a_step_moves_the_weights(model: VideoClassifier, train_on: TrainOn, tmp_path: Path) -> None:
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    train_on(model, [batch_of(model)], tmp_path)
    moved = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}
    assert moved == {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def test_evaluation_is_deterministic_and_training_is_not(model: VideoClassifier) -> None:
    streams = streams_of(model)
    model.eval()
    assert torch.equal(model(*streams), model(*streams))
    model.train()
    assert not torch.equal(model(*streams), model(*streams))  # dropout


def test_a_video_alone_has_the_logits_of_its_row_in_a_batch(model: VideoClassifier) -> None:
    model.eval()
    streams = streams_of(model)
    together = model(*streams)
    for row in range(4):
        alone = model(*(stream[row : row + 1] for stream in streams))
        assert torch.allclose(alone[0], together[row], atol=1e-5)


@pytest.mark.parametrize("side_px", [32, 17])
def test_another_picture_size_works(model: VideoClassifier, side_px: int) -> None:
    assert model.eval()(*streams_of(model, side_px=side_px)).shape == (4, 3)


@pytest.mark.parametrize("clip_len", [1, 3, 8])
def test_another_clip_length_works_or_one_line_says_what_does(model: VideoClassifier, clip_len: int) -> None:
    clip = ClipSettings(num_snippets=2, clip_len=clip_len, flow_len=clip_len + 1)
    line = refusal(lambda: build(type(model), clip).eval()(*streams_of(build(type(model), clip))))
    if line is not None:
        assert "\n" not in line
        assert "clip_len" in line
        assert clip_len == 1 or type(model).__name__ == "SlowFusion", line


def test_a_clip_of_another_length_than_the_model_was_built_for_works_or_one_line_says_why_not(
    model: VideoClassifier,
) -> None:
    longer = [torch.cat([stream, stream], dim=2) for stream in streams_of(model)]
    line = refusal(lambda: model.eval()(*longer))
    assert (line is None) is (type(model).__name__ not in OF_ONE_LENGTH)
    if line is not None:
        assert "\n" not in line
        assert re.search(r"frames|fields", line)


def refusal(forward: Callable[[], Tensor]) -> str | None:
    """What is said against it; None where the answer has the right shape."""
    try:
        logits = forward()
    except (ValueError, ConfigurationError) as error:
        return str(error)
    assert logits.shape == (4, 3)
    return None


def test_the_receptive_field_is_the_longest_stretch_of_frames_that_act_together(
    model_class: type[VideoClassifier],
) -> None:
    """Frames whose answers are averaged act one by one: changing two of them changes the sum of both changes."""
    torch.manual_seed(0)
    model = build(model_class, ClipSettings(clip_len=8, flow_len=3)).double().eval()
    spread_weights(model)
    streams = [stream.double() for stream in streams_of(model, num_videos=1)]
    stretch = 1
    for k, stream in enumerate(model.streams):
        num_steps = streams[k].shape[2]
        pairs = [(i, j) for i in range(num_steps) for j in range(i + 1, num_steps)]
        together = [j - i + 1 for i, j in pairs if acts_together(model, streams, k, (i, j))]
        stretch = max(stretch, max(together, default=1) + (stream.kind == "flow"))  # n fields lie between n + 1 frames
    assert model.receptive_field is not None
    assert stretch == min(model.receptive_field, 8)


def spread_weights(model: VideoClassifier) -> None:
    """Weights that are random everywhere: those that begin as a mean or at zero would hide what they reach."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
            parameter.add_(0.05 * noise)


def acts_together(model: VideoClassifier, streams: list[Tensor], stream: int, places: tuple[int, int]) -> bool:
    def logits(*changed: int) -> Tensor:
        inputs = [values.clone() for values in streams]
        for place in changed:
            inputs[stream][:, :, place] += 3.0
        if isinstance(model, HasParts):
            return torch.cat(list(model.forward_parts(*inputs).values()))
        return model(*inputs)

    with torch.no_grad():
        both, first, second, none = logits(*places), logits(places[0]), logits(places[1]), logits()
    return bool(((both - first - second + none).abs() > 1e-9).any())


def test_a_saved_model_comes_back_with_the_same_logits(
    model: VideoClassifier, train_on: TrainOn, tmp_path: Path
) -> None:
    train_on(model, [batch_of(model)], tmp_path).save_checkpoint(tmp_path / "model.ckpt")
    loaded = load_classifier(tmp_path / "model.ckpt")
    assert type(loaded) is type(model)
    assert not loaded.training
    assert (loaded.class_names, loaded.clip) == (model.class_names, model.clip)
    streams = streams_of(model)
    assert torch.equal(loaded(*streams), model.eval()(*streams))


@pytest.mark.parametrize("task", TASKS)
def test_with_every_task_it_learns_scores_videos_and_comes_back(
    model_class: type[VideoClassifier], task: str, train_on: TrainOn, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = small(model_class, CLASSES, CLIP, task=task)
    batch = batch_of(model)
    batch["label"] = model.task.random_targets(4, torch.Generator().manual_seed(0))
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    trainer = train_on(model, [batch], tmp_path)
    moved = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}
    assert moved == {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    loaded = load_classifier(tmp_path / "model.ckpt")
    assert loaded.task.name == task
    streams = streams_of(model, num_videos=6)
    assert torch.equal(loaded(*streams), model.eval()(*streams))
    views = {name: stream.unflatten(0, (2, 3)) for name, stream in zip(names_of(model), streams, strict=True)}
    for row, scores in model.scorer.videos(views).items():
        assert scores.shape == (2, 3)
        assert bool(((scores >= 0) & (scores <= 1)).all()), row
    by_view = [model(*(stream[3 * v : 3 * v + 3] for stream in streams)) for v in range(2)]
    expected = torch.stack([model.task.probabilities(logits).mean(0) for logits in by_view])
    torch.testing.assert_close(model.scorer.videos(views)["model"], expected, atol=1e-5, rtol=1e-4)


def test_the_compiled_model_gives_the_same_logits(model: VideoClassifier) -> None:
    model.eval()
    streams = streams_of(model)
    torch._dynamo.reset()
    compiled = torch.compile(model.forward, backend="aot_eager", fullgraph=True)
    assert torch.allclose(compiled(*streams), model(*streams), atol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler on a CPU")
def test_the_model_compiled_by_inductor_gives_the_same_logits(
    model: VideoClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))  # what another process left there half-written
    model.eval()
    streams = streams_of(model)
    torch._dynamo.reset()
    compiled = torch.compile(model.forward, fullgraph=True)
    assert torch.allclose(compiled(*streams), model(*streams), atol=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_logits_and_learns_in_half_precision(model: VideoClassifier) -> None:
    model.eval()
    streams = streams_of(model)
    expected = model(*streams)
    model.cuda()
    on_gpu = [stream.cuda() for stream in streams]
    assert torch.allclose(model(*on_gpu).cpu(), expected, atol=1e-3)  # TF32 is off by default
    with torch.autocast("cuda", dtype=torch.bfloat16):
        logits = model(*on_gpu)
    logits.float().logsumexp(dim=-1).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_half_precision_gives_the_same_logits_roughly_and_finite_gradients(model: VideoClassifier) -> None:
    model.eval()
    streams = streams_of(model)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(*streams)
    assert torch.allclose(logits.float(), model(*streams), atol=0.05)
    logits.float().logsumexp(dim=-1).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_weights_of_another_precision_learn(
    model: VideoClassifier, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "log", lambda *_args, **_kwargs: None)
    monkeypatch.setattr(model, "log_dict", lambda *_args, **_kwargs: None)
    model.to(dtype)
    batch = batch_of(model)
    batch["streams"] = {name: stream.to(dtype) for name, stream in batch["streams"].items()}
    loss = model.training_step(batch, 0)
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_its_layers_for_heat_maps_are_there_and_tell_places_apart(model: VideoClassifier) -> None:
    modules = dict(model.named_modules())
    assert model.cam_layers
    assert len({layer.title for layer in model.cam_layers}) == len(model.cam_layers)
    for layer in model.cam_layers:
        assert layer.module in modules
        assert layer.classifier is None or isinstance(modules[layer.classifier], torch.nn.Linear)
        assert layer.stream in names_of(model)
        assert layer.part is None or (isinstance(model, HasParts) and layer.part in model.parts)


def test_grad_cam_has_the_size_of_the_clip_and_follows_the_class(model: VideoClassifier) -> None:
    model.eval()
    streams = streams_of(model, num_videos=1, side_px=48)
    by_class = [heat_maps(model, streams, target, signed=True) for target in range(3)]
    for layer in model.cam_layers:
        size = streams[names_of(model).index(layer.stream)].shape[2:]
        heats = [heats[layer.title] for heats in by_class]
        assert all(heat.shape == size and torch.isfinite(heat).all() for heat in heats)
        assert heats[0].abs().max() > 0
        assert heats[0].flatten(1).std(dim=1).max() > 0  # places differ
        assert not torch.allclose(heats[0], heats[1])


def test_the_answer_is_the_fusion_of_the_parts(model: VideoClassifier) -> None:
    if not isinstance(model, HasParts):  # a model of one part
        assert not hasattr(type(model), "parts")
        return
    model.eval()
    streams = streams_of(model)
    parts = model.forward_parts(*streams)
    assert tuple(parts) == model.parts
    assert all(logits.shape == (4, 3) for logits in parts.values())
    assert torch.equal(model(*streams), model.fuse(parts))


def test_the_scores_of_a_video_are_the_mean_of_softmax_over_its_views(model: VideoClassifier) -> None:
    model.eval()
    views = streams_of(model, num_videos=6)
    batch = {name: stream.unflatten(0, (2, 3)) for name, stream in zip(names_of(model), views, strict=True)}
    scores = model.scorer.videos(batch)["model"]
    expected = torch.stack(
        [model(*(stream[3 * v : 3 * v + 3] for stream in views)).softmax(-1).mean(0) for v in range(2)]
    )
    assert scores.dtype == torch.float32
    assert torch.allclose(scores, expected, atol=1e-6)


def test_the_loss_of_a_batch_without_videos_is_zero_with_gradients(model: VideoClassifier) -> None:
    empty = torch.empty(0, dtype=torch.long)
    loss = model.training_step({"label": empty, "index": empty, "skipped": ["bad.mp4"]}, 0)
    assert float(loss.detach()) == 0
    loss.backward()
    assert all(not p.grad.abs().sum() for p in model.parameters() if p.requires_grad and p.grad is not None)


def test_the_loss_is_smoothed_and_weighted_by_class(model: VideoClassifier) -> None:
    loss = LossSettings(label_smoothing=0.2, class_weights={"right": 3.0})
    other = small(type(model), CLASSES, CLIP, loss=loss)
    logits, targets = torch.tensor([[1.0, 0.0, 2.0], [0.5, 0.5, 0.0]]), torch.tensor([0, 1])
    log_p, weights = logits.log_softmax(-1), torch.tensor([1.0, 3.0, 1.0])
    soft = torch.full((2, 3), 0.2 / 3)
    soft[[0, 1], targets] += 0.8
    expected = -(soft * log_p * weights).sum() / weights[targets].sum()
    assert float(other._loss(logits, {"label": targets})) == pytest.approx(float(expected), abs=1e-6)


def test_class_weights_that_are_all_alike_change_no_loss_of_plain_or_mixed_labels(model: VideoClassifier) -> None:
    doubled = small(type(model), CLASSES, CLIP, loss=LossSettings(class_weights=dict.fromkeys(CLASSES, 2.0)))
    logits = torch.tensor([[1.0, 0.0, 2.0], [0.5, 0.5, 0.0]])
    for targets in (torch.tensor([0, 1]), torch.tensor([[0.3, 0.7, 0.0], [0.0, 0.5, 0.5]])):
        batch: Batch = {"label": targets}
        assert float(doubled._loss(logits, batch)) == pytest.approx(float(model._loss(logits, batch)), rel=1e-6)

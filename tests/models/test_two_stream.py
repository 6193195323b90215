"""TwoStream: what each stream sees, what is trained, and how the answers become one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import factories
import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor

from vidcls.errors import CheckpointError
from vidcls.models import SingleFrame, TwoStream
from vidcls.types import Batch, ClipSettings

pytestmark = pytest.mark.filterwarnings("ignore")

TrainOn = Callable[..., Trainer]

CLASSES = ["left", "right", "still"]
CLIP = ClipSettings(num_snippets=2, clip_len=2, flow_len=3)


two_stream = partial(factories.two_stream, clip=CLIP, dropout=0.0)


def batch(seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    return {
        "streams": {
            "rgb": torch.randn(4, 3, 4, 24, 24, generator=generator),
            "flow": torch.randn(4, 2, 6, 24, 24, generator=generator),
        },
        "label": torch.tensor([0, 1, 2, 1]),
        "index": torch.arange(4),
    }


def streams() -> list[Tensor]:
    return list(batch()["streams"].values())


def gradients(model: TwoStream, part: str) -> dict[str, Tensor]:
    model.log = model.log_dict = lambda *_args, **_kwargs: None  # type: ignore[assignment,method-assign]
    model.train()
    model.zero_grad()
    model.training_step(batch(), 0).backward()  # type: ignore[arg-type]
    modules = (("net", model.nets[part]), ("head", model.heads[part]))
    return {
        f"{which}.{n}": p.grad.clone() for which, m in modules for n, p in m.named_parameters() if p.grad is not None
    }


def test_the_temporal_net_sees_x1_y1_x2_y2_of_each_snippet() -> None:
    model = two_stream().eval()
    seen: list[Tensor] = []
    model.nets["temporal"].register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    field = torch.arange(6.0).view(1, 1, 6, 1, 1)
    flow = torch.cat([10 + field, 20 + field], dim=1).expand(2, 2, 6, 24, 24)  # x of field t is 10 + t, y is 20 + t
    model(torch.zeros(2, 3, 4, 24, 24), flow)
    assert seen[0].shape == (4, 6, 24, 24)  # two videos of two snippets
    for video in range(2):
        assert seen[0][2 * video, :, 0, 0].tolist() == [10, 20, 11, 21, 12, 22]
        assert seen[0][2 * video + 1, :, 0, 0].tolist() == [13, 23, 14, 24, 15, 25]


def test_the_logits_of_a_stream_are_the_mean_over_its_snippets() -> None:
    model = two_stream().eval()
    rgb, flow = streams()
    whole = model.forward_parts(rgb, flow)
    of_one = two_stream(clip=ClipSettings(num_snippets=1, clip_len=2, flow_len=3)).eval()
    of_one.load_state_dict(model.state_dict())
    halves = [of_one.forward_parts(rgb[:, :, 2 * k : 2 * k + 2], flow[:, :, 3 * k : 3 * k + 3]) for k in range(2)]
    for part in model.parts:
        assert torch.allclose(whole[part], (halves[0][part] + halves[1][part]) / 2, atol=1e-5)


@pytest.mark.parametrize(("trained", "other"), [("spatial", "temporal"), ("temporal", "spatial")])
def test_training_one_stream_leaves_weights_and_statistics_of_the_other_untouched(
    trained: str, other: str, train_on: TrainOn, tmp_path: Path
) -> None:
    model = two_stream(train=trained)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    train_on(model, [batch(0), batch(1)], tmp_path)
    for name, value in model.state_dict().items():
        if name.startswith((f"nets.{other}", f"heads.{other}")):
            assert torch.equal(value, before[name]), name
        if name.startswith(f"nets.{trained}") and name.endswith(("weight", "running_mean")):
            assert not torch.equal(value, before[name]), name


@pytest.mark.parametrize("part", ["spatial", "temporal"])
def test_streams_trained_together_get_the_gradients_of_each_trained_alone(part: str) -> None:
    together, alone = gradients(two_stream(), part), gradients(two_stream(train=part), part)
    assert set(together) == set(alone)
    assert len(together) > 10
    for name, gradient in alone.items():
        assert torch.equal(gradient, together[name]), name


def test_streams_are_taken_over_from_checkpoints(train_on: TrainOn, tmp_path: Path) -> None:
    first, second = two_stream(seed=1), two_stream(seed=2)
    train_on(first, [batch(0), batch(1)], tmp_path).save_checkpoint(tmp_path / "first.ckpt")
    train_on(second, [batch(0), batch(1)], tmp_path).save_checkpoint(tmp_path / "second.ckpt")
    joined = two_stream(
        seed=3,
        spatial_checkpoint=str(tmp_path / "first.ckpt"),
        temporal_checkpoint=str(tmp_path / "second.ckpt"),
    ).eval()
    rgb, flow = streams()
    parts = joined.forward_parts(rgb, flow)
    assert torch.equal(parts["spatial"], first.eval().forward_parts(rgb, flow)["spatial"])
    assert torch.equal(parts["temporal"], second.eval().forward_parts(rgb, flow)["temporal"])


def test_a_single_frame_checkpoint_gives_a_spatial_stream_and_no_temporal_one(
    train_on: TrainOn, tmp_path: Path
) -> None:
    torch.manual_seed(4)
    single = SingleFrame(class_names=CLASSES, clip=CLIP, backbone="small")
    train_on(single, [batch(0), batch(1)], tmp_path).save_checkpoint(tmp_path / "single.ckpt")
    model = two_stream(spatial_checkpoint=str(tmp_path / "single.ckpt")).eval()
    rgb, flow = streams()
    assert torch.allclose(model.forward_parts(rgb, flow)["spatial"], single.eval()(rgb), atol=1e-6)
    with pytest.raises(CheckpointError, match="SingleFrame has no temporal stream"):
        two_stream(temporal_checkpoint=str(tmp_path / "single.ckpt"))


def test_a_checkpoint_of_other_classes_or_of_another_net_is_refused(train_on: TrainOn, tmp_path: Path) -> None:
    train_on(two_stream(), [batch(0), batch(1)], tmp_path).save_checkpoint(tmp_path / "a.ckpt")
    path = str(tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match=r"knows the classes \['left', 'right', 'still'\], the data has"):
        two_stream(class_names=["left", "right", "up"], spatial_checkpoint=path)
    with pytest.raises(CheckpointError, match="its spatial stream is another network") as error:
        two_stream(spatial="resnet18", spatial_checkpoint=path)
    assert "\n" not in str(error.value)


def test_the_file_of_first_weights_need_not_exist_when_a_model_is_loaded(train_on: TrainOn, tmp_path: Path) -> None:
    from vidcls.models import load_classifier

    train_on(two_stream(), [batch(0), batch(1)], tmp_path).save_checkpoint(tmp_path / "a.ckpt")
    model = two_stream(spatial_checkpoint=str(tmp_path / "a.ckpt"))
    train_on(model, [batch(0), batch(1)], tmp_path).save_checkpoint(tmp_path / "b.ckpt")
    (tmp_path / "a.ckpt").unlink()
    loaded = load_classifier(tmp_path / "b.ckpt")
    assert torch.equal(loaded(*streams()), model.eval()(*streams()))


@pytest.mark.parametrize("fusion", ["mean", "product", "weighted"])
def test_the_fusion_named_is_the_answer_and_a_row_of_the_table(fusion: str) -> None:
    model = two_stream(fusion=fusion, fusion_weights=(1.0, 3.0)).eval()
    parts = model.forward_parts(*streams())
    rows = model.all_fusions(parts)
    assert list(rows) == ["mean", "product", "weighted"]
    assert torch.equal(model.fuse(parts), rows[fusion])
    spatial, temporal = (parts[part].softmax(-1) for part in model.parts)
    expected = {
        "mean": (spatial + temporal) / 2,
        "product": (spatial * temporal).sqrt() / (spatial * temporal).sqrt().sum(-1, keepdim=True),
        "weighted": (spatial + 3 * temporal) / 4,
    }
    assert torch.allclose(rows[fusion].softmax(-1), expected[fusion], atol=1e-6)


def test_the_support_vector_machine_answers_once_it_is_fitted_and_the_mean_until_then() -> None:
    model = two_stream(fusion="svm").eval()
    parts = model.forward_parts(*streams())
    assert torch.equal(model.fuse(parts), model.all_fusions(parts)["mean"])
    assert "svm" not in model.all_fusions(parts)
    probabilities = torch.stack([parts[part].softmax(-1) for part in model.parts]).detach()
    model.svm.fit(probabilities, batch()["label"])
    assert torch.equal(model.fuse(parts), model.all_fusions(parts)["svm"])
    assert not torch.equal(model.fuse(parts), model.all_fusions(parts)["mean"])


def test_a_model_with_a_fitted_support_vector_machine_is_one_graph() -> None:
    model = two_stream(fusion="svm").eval()
    probabilities = torch.stack([p.softmax(-1) for p in model.forward_parts(*streams()).values()])
    model.svm.fit(probabilities.detach(), batch()["label"])
    exported = torch.export.export(model, tuple(streams())).module()
    assert torch.allclose(exported(*streams()), model(*streams()), atol=1e-6)


@pytest.mark.parametrize("weights", [(-1.0, 1.5), (0.0, 0.0)])
def test_weights_that_are_no_weights_are_refused(weights: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="fusion_weights must not be negative and not both zero"):
        two_stream(fusion_weights=weights)


@pytest.mark.parametrize("change", [lambda key: (key[0], key[1] + 1), lambda key: (key[0] + 1, key[1])])
def test_dropout_follows_the_epoch_and_the_batch(
    change: Callable[[tuple[int, int]], tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = two_stream()
    model.trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    model._dropout_seed = 1

    def drawn(key: tuple[int, int]) -> float:
        monkeypatch.setattr(TwoStream, "current_epoch", key[0])
        model.on_train_batch_start(batch(), key[1])  # type: ignore[arg-type]
        return float(torch.rand(()))

    assert drawn((2, 3)) == drawn((2, 3))
    assert drawn((2, 3)) != drawn(change((2, 3)))


@pytest.mark.parametrize("fusion", ["mean", "product", "weighted", "svm"])
def test_where_logits_are_averaged_every_row_is_the_softmax_of_a_mean_over_views(fusion: str) -> None:
    """Four views of one video; the parts, the fixed fusions by hand, and the decision values of a fitted SVM."""
    model = two_stream(fusion=fusion).eval()
    model.heads["spatial"][1].weight.data.mul_(50)  # or all views would say much the same
    views = batch()
    with torch.no_grad():
        parts = model.forward_parts(*views["streams"].values())
        model.svm.fit(torch.stack([parts[part].softmax(-1) for part in model.parts]), views["label"])
        by_probabilities = model.scorer.videos({name: stream[None] for name, stream in views["streams"].items()})
        model.input_settings = {"score": "logits"}
        found = model.scorer.videos({name: stream[None] for name, stream in views["streams"].items()})
        decisions = model.svm(torch.stack([parts[part] for part in model.parts]))
        alone = model(*views["streams"].values())
    spatial, temporal = parts["spatial"].mean(dim=0), parts["temporal"].mean(dim=0)
    expected = {
        "spatial": spatial,
        "temporal": temporal,
        "mean": (spatial + temporal) / 2,
        "product": (spatial + temporal) / 2,
        "weighted": (spatial + 1.5 * temporal) / 2.5,
        "svm": decisions.mean(dim=0),
    }
    expected["model"] = expected[fusion]
    assert found.keys() == expected.keys() == by_probabilities.keys()
    for row, mean in expected.items():
        torch.testing.assert_close(found[row][0], mean.softmax(dim=-1), rtol=1e-4, atol=1e-5)
    assert (found["mean"] - by_probabilities["mean"]).abs().max() > 1e-3
    torch.testing.assert_close(alone.mean(dim=0).softmax(-1), found["model"][0], rtol=1e-4, atol=1e-5)

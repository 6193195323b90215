"""Probes: frozen networks, heads that are part of the model, and what is computed of flow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from factories import CLASSES, two_stream
from lightning.pytorch import Trainer
from torch import Tensor, nn

from vidcls.errors import CheckpointError, ConfigurationError
from vidcls.layers.probe_heads import HeadEnsemble, HeadSettings
from vidcls.models import Probe, TwoStreamProbe, load_classifier
from vidcls.models.stream_encoder import EncoderPlan, flow_pictures
from vidcls.types import ClipSettings

CLIP = ClipSettings(num_snippets=4, clip_len=1, flow_len=3)
FIRST = HeadSettings("logistic", ("block2", "block4"), "mean+absdiff", "grid")
SECOND = HeadSettings("svm", ("block4",), "segments2", "whole")


def probe(**arguments: object) -> Probe:
    torch.manual_seed(0)
    given = {"class_names": CLASSES, "clip": CLIP, "backbone": "small", "levels": ["block2", "block3", "block4"]}
    return Probe(**{**given, **arguments}).eval()  # type: ignore[arg-type]


def two_stream_probe(**arguments: object) -> TwoStreamProbe:
    torch.manual_seed(0)
    given = {"class_names": CLASSES, "clip": CLIP, "backbone": "small", "flow_backbone": "small"}
    return TwoStreamProbe(**{**given, **arguments}).eval()  # type: ignore[arg-type]


def frames(num_videos: int = 2) -> Tensor:
    return torch.randn(num_videos, 3, 4, 32, 40, generator=torch.Generator().manual_seed(1))


def with_heads(model: Probe, *settings: HeadSettings) -> Probe:
    head = HeadEnsemble(settings, model.shapes, len(CLASSES))
    for parameter in head.parameters():
        nn.init.normal_(parameter, generator=torch.Generator().manual_seed(2))
    model.take_heads(head)
    return model


def test_the_answer_is_that_of_the_heads_on_the_tokens() -> None:
    model = probe()
    with_heads(model, FIRST, SECOND)
    tokens = model.encoders["rgb"](frames())
    assert {name: tuple(x.shape[1:]) for name, x in tokens.items()} == {k: model.shapes[k] for k in tokens}
    probabilities = [head(tokens).softmax(dim=1) for head in model.head.heads]
    torch.testing.assert_close(model(frames()), (sum(probabilities) / 2).log())


def test_only_levels_that_a_head_uses_are_computed() -> None:
    model = with_heads(probe(), replace(SECOND, levels=("block2",)))
    called = []
    for name, stage in model.backbone.stages.items():
        stage.register_forward_hook(lambda *_, name=name: called.append(name))  # type: ignore[misc]
    with torch.no_grad():
        model(frames(1))
    assert set(called) == {"block1", "block2"}


def test_a_checkpoint_brings_its_heads_along(tmp_path: Path) -> None:
    model = with_heads(probe(), FIRST, SECOND)
    trainer = Trainer(logger=False, enable_checkpointing=False, accelerator="cpu", barebones=True)
    trainer.strategy.connect(model)
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    loaded = load_classifier(tmp_path / "model.ckpt")
    assert isinstance(loaded, Probe)
    assert loaded.head.settings == (FIRST, SECOND)
    assert torch.equal(loaded(frames()), model(frames()))


def test_the_networks_below_the_heads_stay_as_they_are() -> None:
    model = two_stream_probe().train()
    assert model.training
    assert not model.backbone.training
    assert not model.flow_backbone.training
    assert {name.split(".")[0] for name, p in model.named_parameters() if p.requires_grad} == {"head"}
    again = two_stream_probe().train()
    streams = [frames(), torch.randn(2, 2, 12, 32, 40)]
    again(*streams).sum().backward()
    assert all(p.grad is None for p in again.backbone.parameters())


def test_a_level_that_the_backbone_has_not_is_one_line() -> None:
    with pytest.raises(ConfigurationError, match="unknown stage 'block9': this backbone has block1"):
        probe(levels=["block9"])


def test_flow_as_a_picture_has_x_y_and_speed() -> None:
    flow = torch.tensor([3.0, -4.0]).view(1, 2, 1, 1, 1)
    assert flow_pictures(flow, 10.0).flatten().tolist() == pytest.approx([0.3, -0.4, 0.0])  # speed 5 is the middle
    assert flow_pictures(flow, 2.0).flatten().tolist() == [1.0, -1.0, 1.0]
    assert flow_pictures(0 * flow, 2.0).flatten().tolist() == [0.0, 0.0, -1.0]


def test_a_picture_shows_the_mean_motion_of_a_snippet() -> None:
    encoder = two_stream_probe(flow_bound_px=10.0).encoders["flow"]
    flow = torch.zeros(1, 2, 12, 1, 1)
    flow[0, 0, 3:6, 0, 0] = torch.tensor([1.0, 2.0, 6.0])  # of the second of four snippets
    assert encoder.fed(flow)[0, 0, :, 0, 0].tolist() == pytest.approx([0.0, 0.3, 0.0, 0.0])


def test_stacks_of_flow_are_those_of_the_two_stream_model(tmp_path: Path) -> None:
    trained = two_stream(clip=CLIP).eval()
    trainer = Trainer(logger=False, enable_checkpointing=False, accelerator="cpu", barebones=True)
    trainer.strategy.connect(trained)
    file = tmp_path / "two_stream.ckpt"
    trainer.save_checkpoint(file)
    model = two_stream_probe(flow_weights=str(file), flow_as="stacks", flow_levels=["read_out"])
    flow = torch.randn(2, 2, 12, 32, 40, generator=torch.Generator().manual_seed(3))
    logits = trained.forward_parts(torch.zeros(2, 3, 4, 32, 40), flow)["temporal"]
    vectors = model.encoders["flow"](flow)["read_out"][:, :, 0]  # (B, S, D)
    torch.testing.assert_close(trained.heads["temporal"](vectors).mean(dim=1), logits)
    with pytest.raises(CheckpointError, match="its temporal stream is not resnet18"):
        two_stream_probe(flow_backbone="resnet18", flow_weights=str(file), flow_as="stacks")


def test_another_process_builds_the_same_encoder(tmp_path: Path) -> None:
    model = two_stream_probe(flow_bound_px=2.0)
    file = tmp_path / "weights.pt"
    torch.save(model.flow_backbone.state_dict(), file)
    levels = model.all_levels["flow"]
    random_state = torch.get_rng_state()
    built = EncoderPlan("small", 3, levels, (2, 3), 4, "pictures", 2.0, file).build()
    assert torch.equal(torch.get_rng_state(), random_state)  # a run without kept features draws the same numbers
    flow = torch.randn(1, 2, 12, 32, 40)
    for level, tokens in model.encoders["flow"](flow).items():
        assert torch.equal(built(flow)[level], tokens)


def test_descriptors_of_single_frames_have_a_receptive_field_of_one() -> None:
    model = probe()
    assert model.receptive_field == 1
    assert with_heads(model, FIRST).receptive_field == 4
    assert two_stream_probe().receptive_field == CLIP.flow_len + 1


def test_joined_snippets_are_one_clip_of_a_video_network() -> None:
    joined = probe(backbone="small_3d", levels=None, snippets="join").encoders["rgb"](frames())
    apart = probe(backbone="small_3d", levels=None).encoders["rgb"](frames())
    alone = probe(backbone="small_3d", levels=None, clip=ClipSettings(clip_len=4)).encoders["rgb"](frames())
    for level, tokens in joined.items():
        assert torch.equal(tokens, alone[level])
        assert tokens.shape[1] < apart[level].shape[1]

"""Models that hear fuse sound late, and answer a video without sound by their other streams alone, exactly."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from every_model import small
from torch import Tensor

from vidcls.models import AudioVisual, ThreeStream, TwoStream, VideoClassifier
from vidcls.models.input_shapes import input_shapes
from vidcls.tasks import TASKS
from vidcls.training.fusion import fixed_fusions
from vidcls.types import ClipSettings

CLASSES = ["left", "right", "still"]
CLIP = ClipSettings(num_snippets=2, flow_len=3)
HEARING = [AudioVisual, ThreeStream]
WITHOUT = torch.tensor([False, True, False, True])


def streams_of(model: VideoClassifier) -> list[Tensor]:
    """Of four videos, two of them without sound."""
    generator = torch.Generator().manual_seed(0)
    streams = [torch.randn(shape, generator=generator) for shape in input_shapes(model.streams, CLIP, 24, num_clips=4)]
    streams[-1][WITHOUT] = torch.nan
    return streams


@torch.inference_mode()
@pytest.mark.parametrize("model_class", HEARING)
def test_the_answer_without_sound_is_the_fusion_of_the_other_streams(model_class: type[VideoClassifier]) -> None:
    for task, fusion in product(TASKS, ("mean", "product", "weighted")):
        torch.manual_seed(0)
        model = small(model_class, CLASSES, CLIP, task=task, fusion=fusion).eval()
        streams = streams_of(model)
        parts = model.forward_parts(*streams)
        others = torch.stack([parts[part] for part in model.parts[:-1]])
        weights = model.fusion_weights if fusion == "weighted" else model.even_weights
        alone = fixed_fusions(model.task)[fusion](others, weights[:-1])
        fused, rows = model(*streams), model.all_fusions(parts)
        assert torch.isfinite(fused).all()
        assert torch.equal(fused, rows[fusion])
        assert torch.equal(fused[WITHOUT], alone[WITHOUT])
        assert not torch.isclose(fused[~WITHOUT], alone[~WITHOUT]).any(dim=-1).all()
        assert torch.equal(parts["audio"][WITHOUT], torch.zeros(2, 3))


@torch.inference_mode()
def test_three_streams_without_sound_answer_as_two_streams_with_their_weights() -> None:
    torch.manual_seed(0)
    three = small(ThreeStream, CLASSES, CLIP).eval()
    two = small(TwoStream, CLASSES, CLIP).eval()
    for mine, others in ((two.nets, three.nets), (two.heads, three.heads)):
        mine.load_state_dict({name: value for name, value in others.state_dict().items() if "audio." not in name})
    rgb, flow, audio = streams_of(three)
    assert torch.equal(three(rgb, flow, torch.full_like(audio, torch.nan)), two(rgb, flow))


@pytest.mark.parametrize("model_class", HEARING)
def test_a_video_without_sound_teaches_the_stream_that_hears_nothing(model_class: type[VideoClassifier]) -> None:
    torch.manual_seed(0)
    model = small(model_class, CLASSES, CLIP)
    streams = streams_of(model)
    streams[-1][:] = torch.nan
    parts = model.forward_parts(*streams)
    targets = torch.tensor([0, 1, 2, 0])
    torch.stack([model.task.loss_by_video(logits, targets).mean() for logits in parts.values()]).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all()
        assert bool(parameter.grad.any()) is (".audio." not in name), name


def test_its_part_has_a_loss_and_a_metric_of_its_own() -> None:
    model = small(ThreeStream, CLASSES, CLIP)
    assert {"train/audio_loss", "val/audio_top1"} <= set(model.logged_names)


@pytest.mark.parametrize("weights", [(-1.0, 1.0), (0.0, 1.0)])
def test_weights_that_leave_a_video_without_sound_unanswered_are_refused(weights: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="fusion_weights must not be negative, and those of the streams that see"):
        small(AudioVisual, CLASSES, CLIP, fusion="weighted", fusion_weights=weights)

"""RecurrentConv: levels, directions and read-out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from vidcls.models import RecurrentConv
from vidcls.types import ClipSettings

CLASSES = ["left", "right", "still"]
CLIP = ClipSettings(clip_len=3)
LEVELS = {"levels": ["block2", "block3", "read_out"], "widths": [4, 5, 6]}


def build(clip: ClipSettings = CLIP, **arguments: object) -> RecurrentConv:
    torch.manual_seed(0)
    given = {"class_names": CLASSES, "clip": clip, "backbone": "small", "dropout": 0.0}
    return RecurrentConv(**{**given, **arguments}).eval()  # type: ignore[arg-type]


def frames(num_frames: int = 3) -> Tensor:
    return torch.randn(2, 3, num_frames, 24, 24, generator=torch.Generator().manual_seed(1))


def test_the_answer_is_the_mean_of_the_distributions_of_the_levels() -> None:
    model = build(**LEVELS)
    logits: list[Tensor] = []
    for head in model.heads:
        head.register_forward_hook(lambda _m, _i, output: logits.append(output))
    answer = model(frames())
    mean = torch.stack([one.softmax(dim=-1) for one in logits]).mean(dim=0)
    assert len(logits) == 3
    assert torch.allclose(answer.exp(), mean, atol=1e-6)
    assert torch.allclose(answer.exp().sum(dim=-1), torch.ones(2), atol=1e-5)


@pytest.mark.parametrize("recurrence", ["gru_rcn", "gru", "lstm"])
def test_the_order_of_frames_matters(recurrence: str) -> None:
    model = build(recurrence=recurrence)
    assert not torch.allclose(model(frames()), model(frames().flip(2)), atol=1e-5)


def test_the_last_hidden_state_reads_the_whole_clip() -> None:
    model = build(levels=["block4"], widths=[4])
    rgb = frames()
    for t in range(3):
        changed = rgb.clone()
        changed[:, :, t] += torch.randn(24, 24)
        assert not torch.equal(model(rgb), model(changed)), t


def test_both_directions_swap_when_the_clip_is_reversed() -> None:
    model = build(levels=["block4"], widths=[4], bidirectional=True)
    model.backwards.load_state_dict(model.forwards.state_dict())
    linear = model.heads[0][1]
    assert isinstance(linear, nn.Linear)
    assert linear.in_features == 8
    with torch.no_grad():
        linear.weight[:, 4:] = linear.weight[:, :4]  # a classifier that does not tell the directions apart
    assert torch.allclose(model(frames()), model(frames().flip(2)), atol=1e-6)


def test_stacked_levels_see_the_hidden_maps_below_them() -> None:
    plain, stacked = build(**LEVELS), build(**LEVELS, stacked=True)
    sizes = [[unit.from_input.in_channels for unit in model.forwards] for model in (plain, stacked)]
    assert sizes == [[32, 32, 64], [32, 32 + 4, 64 + 5]]
    both = build(**LEVELS, stacked=True, bidirectional=True)
    assert [unit.from_input.in_channels for unit in both.backwards] == [32, 32 + 8, 64 + 10]


def test_a_stacked_level_changes_with_the_weights_of_the_level_below() -> None:
    for stacked, changes in ((False, False), (True, True)):
        model = build(**LEVELS, stacked=stacked)
        seen: list[Tensor] = []
        model.heads[2].register_forward_hook(lambda _m, _i, output, seen=seen: seen.append(output))
        model(frames())
        with torch.no_grad():
            model.forwards[0].to_candidate.weight.mul_(3)
            model.forwards[0].from_input.weight.mul_(3)
        model(frames())
        assert (not torch.allclose(seen[0], seen[1], atol=1e-6)) is changes


def test_left_out_levels_are_the_last_two_stages_with_half_of_their_channels() -> None:
    model = build()
    assert model.levels == ["block3", "block4"]
    assert [unit.hidden_channels for unit in model.forwards] == [16, 32]


def test_stages_behind_the_last_level_are_not_there() -> None:
    model = build(levels=["block2"], widths=[4])
    assert model.backbone.stage_names == ("block1", "block2")
    assert not list(model.backbone.read_out.parameters())


def test_the_vector_has_kernels_of_one_place() -> None:
    model = build(**LEVELS)
    assert [unit.from_input.kernel_size for unit in model.forwards] == [(3, 3), (3, 3), (1, 1)]


def test_joined_snippets_are_one_clip() -> None:
    one = build(levels=["block4"], widths=[4])
    joined = build(ClipSettings(num_snippets=3, clip_len=1), levels=["block4"], widths=[4], snippets="join")
    joined.load_state_dict(one.state_dict())
    assert torch.equal(joined(frames()), one(frames()))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"clip": ClipSettings(clip_len=1)}, "at least two frames, got 1: raise clip_len, or join several snippets"),
        ({"levels": ["block9"]}, "unknown stage 'block9': this backbone has block1.*read_out"),
        ({"levels": ["block3", "block2"]}, "different stages in order of depth"),
        ({"levels": ["block3", "block3"]}, "different stages in order of depth"),
        ({"levels": []}, "different stages in order of depth"),
        ({"levels": ["block3"], "widths": [4, 5]}, "widths needs one entry for each of the levels"),
        ({"levels": ["block3"], "stacked": True}, "stacked has no effect with the one level"),
        ({"recurrence": "gru", "levels": ["block3"]}, "recurrence 'gru' is on the vector alone"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(**arguments)  # type: ignore[arg-type]

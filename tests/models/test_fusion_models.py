"""Late, early and slow fusion and 3D convolution: what each sees of the order of frames, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from vidcls.errors import ConfigurationError
from vidcls.models import Conv3D, EarlyFusion, LateFusion, SingleFrame, SlowFusion, VideoClassifier
from vidcls.models.late_fusion import spread
from vidcls.types import ClipSettings

CLASSES = ["left", "right", "still"]
CLIP = ClipSettings(clip_len=4)
JOINED = ClipSettings(num_snippets=4, clip_len=1)


def build(model_class: type[VideoClassifier], clip: ClipSettings = CLIP, **arguments: object) -> VideoClassifier:
    torch.manual_seed(0)
    backbone = "small_3d" if model_class is Conv3D else "small"
    return model_class(class_names=CLASSES, clip=clip, **{"backbone": backbone, **arguments}).eval()  # type: ignore[arg-type]


def frames(num_frames: int = 4) -> Tensor:
    return torch.randn(2, 3, num_frames, 24, 24, generator=torch.Generator().manual_seed(1))


def is_blind_to_order(model: VideoClassifier) -> bool:
    rgb = frames()
    with torch.no_grad():
        return torch.allclose(model(rgb), model(rgb.flip(2)), atol=1e-5)


SLOW = {"extents": [2, 2], "strides": [1, 1]}


@pytest.mark.parametrize(
    ("model", "blind"),
    [
        (build(LateFusion), False),
        (build(LateFusion, merge="mean"), True),
        (build(LateFusion, merge="max"), True),
        (build(LateFusion, joined_fc=8), False),
        (build(EarlyFusion), False),
        (build(EarlyFusion, window_len=2), False),
        (build(SlowFusion, **SLOW), False),
        (build(Conv3D), False),
    ],
    ids=["late", "late mean", "late max", "late fc", "early", "early windows", "slow", "3d"],
)
def test_a_model_sees_the_order_of_frames_unless_it_merges_without_one(model: VideoClassifier, blind: bool) -> None:
    assert is_blind_to_order(model) is blind


@pytest.mark.parametrize(
    ("model_class", "arguments"), [(LateFusion, {}), (EarlyFusion, {}), (SlowFusion, SLOW), (Conv3D, {})]
)
def test_joined_snippets_are_one_clip_and_averaged_ones_are_several(
    model_class: type[VideoClassifier], arguments: dict[str, object]
) -> None:
    one_clip = build(model_class, **arguments)
    joined = build(model_class, JOINED, snippets="join", **arguments)
    joined.load_state_dict(one_clip.state_dict())
    assert torch.equal(joined(frames()), one_clip(frames()))
    two = ClipSettings(num_snippets=2, clip_len=4)
    averaged = build(model_class, two, **arguments)
    averaged.load_state_dict(one_clip.state_dict())
    rgb = frames(8)
    expected = (one_clip(rgb[:, :, :4]) + one_clip(rgb[:, :, 4:])) / 2
    assert torch.allclose(averaged(rgb), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("num_frames", "num_towers", "places"),
    [(2, 2, [0, 1]), (16, 2, [0, 15]), (10, 4, [0, 3, 6, 9]), (8, 3, [0, 3, 7]), (5, 5, [0, 1, 2, 3, 4])],
)
def test_towers_stand_from_the_first_frame_to_the_last(num_frames: int, num_towers: int, places: list[int]) -> None:
    assert spread(num_frames, num_towers) == places


def test_frames_between_the_towers_are_not_seen() -> None:
    model = build(LateFusion, num_towers=2)
    rgb = frames()
    changed = rgb.clone()
    changed[:, :, 1:3] += 1
    assert torch.equal(model(rgb), model(changed))


def test_towers_share_their_weights() -> None:
    two, four = (build(LateFusion, num_towers=n) for n in (2, 4))
    stages = [sum(p.numel() for p in model.backbone.stages.parameters()) for model in (two, four)]
    assert stages[0] == stages[1] == 32_976


def test_only_towers_joined_by_a_layer_tell_what_two_frames_say_together() -> None:
    """A linear classifier on joined vectors adds what each frame says: changes of two frames do not act together."""

    def together(model: VideoClassifier) -> float:
        rgb = frames().double()
        model = model.double()
        outs = []
        for changed in ((), (0,), (3,), (0, 3)):
            clip = rgb.clone()
            for place in changed:
                clip[:, :, place] += 1
            outs.append(model(clip))
        none, first, last, both = outs
        return float((both - first - last + none).abs().max())

    assert together(build(LateFusion)) < 1e-12
    assert together(build(LateFusion, joined_fc=8)) > 1e-4


def test_windows_of_early_fusion_are_averaged() -> None:
    model = build(EarlyFusion, window_len=2)
    rgb = frames()
    one = build(EarlyFusion, ClipSettings(clip_len=2))
    one.load_state_dict(model.state_dict())
    assert torch.allclose(model(rgb), (one(rgb[:, :, :2]) + one(rgb[:, :, 2:])) / 2, atol=1e-5)


def test_the_first_layer_of_early_fusion_sees_all_frames_one_after_another() -> None:
    model = build(EarlyFusion)
    stem = model.backbone.stem
    assert stem.weight.shape == (16, 12, 3, 3)
    with torch.no_grad():
        stem.weight.zero_()
        stem.weight[:, 6:9] = 1.0  # the third of the four frames
    rgb = frames()
    others = rgb.clone()
    others[:, :, [0, 1, 3]] += 1
    third = rgb.clone()
    third[:, :, 2] += torch.randn(24, 24)
    assert torch.equal(model(rgb), model(others))
    assert not torch.equal(model(rgb), model(third))


def test_a_clip_that_is_no_whole_number_of_windows_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="5 frames cannot be cut into 1 snippets of windows of 4 frames"):
        build(EarlyFusion)(frames(5))


def test_responses_that_are_left_in_time_are_averaged() -> None:
    model = build(SlowFusion, ClipSettings(clip_len=6), **SLOW)
    short = build(SlowFusion, ClipSettings(clip_len=3), **SLOW)
    short.load_state_dict(model.state_dict())
    rgb = frames(6)
    windows = [short(rgb[:, :, k : k + 3]) for k in range(4)]  # each response sees 3 frames
    assert torch.allclose(model(rgb), torch.stack(windows).mean(dim=0), atol=1e-5)


@pytest.mark.parametrize(
    ("model_class", "clip", "arguments", "message"),
    [
        (LateFusion, ClipSettings(clip_len=1), {}, "two towers and no more than frames, got 1 of 1: raise clip_len"),
        (LateFusion, CLIP, {"num_towers": 5}, "got 5 of 4"),
        (EarlyFusion, ClipSettings(clip_len=1), {}, "windows of at least two frames.*raise clip_len"),
        (EarlyFusion, CLIP, {"window_len": 3}, "got window_len=3 for 4 frames"),
        (SlowFusion, CLIP, {}, "spans 10 frames: a clip needs as many.*got 4; raise clip_len"),
        (SlowFusion, CLIP, {"extents": [1], "strides": [1]}, "spans 1 frames"),
        (Conv3D, ClipSettings(clip_len=1), {}, "at least two frames, got 1: raise clip_len, or join several snippets"),
        (Conv3D, JOINED, {}, "at least two frames, got 1"),
    ],
)  # fmt: skip
def test_clips_that_a_model_has_no_use_for_are_refused(
    model_class: type[VideoClassifier], clip: ClipSettings, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build(model_class, clip, **arguments)


@pytest.mark.parametrize("backbone", ["small", "resnet18"])
def test_early_fusion_keeps_the_kernels_in_time_of_a_checkpoint_of_its_own(tmp_path: Path, backbone: str) -> None:
    common = {"class_names": ["a", "b"], "clip": ClipSettings(clip_len=4), "backbone": backbone}
    source = EarlyFusion(**common)
    torch.save({"state_dict": source.state_dict()}, tmp_path / "early.ckpt")
    tuned = EarlyFusion(**common, weights=str(tmp_path / "early.ckpt"))
    for name, weights in source.backbone.state_dict().items():
        assert torch.equal(tuned.backbone.state_dict()[name], weights), name


def test_early_fusion_repeats_the_kernels_of_a_single_frame_checkpoint(tmp_path: Path) -> None:
    common = {"class_names": ["a", "b"], "clip": ClipSettings(clip_len=4), "backbone": "small"}
    source = SingleFrame(**common)
    torch.save({"state_dict": source.state_dict()}, tmp_path / "single.ckpt")
    tuned = EarlyFusion(**common, weights=str(tmp_path / "single.ckpt"))
    expected = source.backbone.stem.weight.repeat(1, 4, 1, 1) / 4
    assert torch.equal(tuned.backbone.stem.weight, expected)

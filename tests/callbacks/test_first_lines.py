"""The lines before a training, by known values."""

from __future__ import annotations

from dataclasses import replace

from every_model import small

from vidcls.callbacks.first_lines import (
    input_lines,
    left_out_lines,
    length_lines,
    network_lines,
    repeat_lines,
    starts_from_scratch,
)
from vidcls.checks.clip_lengths import ClipLengths, Length
from vidcls.clips.settings import InputSettings
from vidcls.flow import FlowSettings
from vidcls.models import X3D, SingleFrame, TwoStream
from vidcls.transforms import TransformSettings
from vidcls.types import ClipSettings, as_streams

RGB = InputSettings(as_streams(["rgb"]), ClipSettings(clip_len=16, stride=4), transform=TransformSettings())
BOTH = InputSettings(
    as_streams(["rgb", "flow"]),
    ClipSettings(num_snippets=3, flow_len=5),
    transform=TransformSettings(rgb_mean=(0.5, 0.5, 0.5), rgb_std=(0.25, 0.25, 0.25), crop_px=(64, 88)),
    flow_settings=FlowSettings(),
)


def test_videos_that_are_shorter_than_a_clip_are_counted() -> None:
    lengths = [Length(60, 25.0)] * 908 + [Length(140, 30.0)] * 592
    assert list(length_lines(ClipLengths(lengths, 1500, RGB))) == [
        "  lengths: 60 to 140 frames, 25 to 30 frames per second",
        "  908 of 1,500 videos are shorter than a clip of 61 frames: looped",
    ]
    refusing = replace(RGB, short_videos="error")
    assert list(length_lines(ClipLengths([Length(9, 0.0), Length(61, 0.0)], 1500, refusing))) == [
        "  lengths: 9 to 61 frames (2 of 1,500 videos looked at)",
        "  1 of 2 videos looked at is shorter than a clip of 61 frames: refused",
    ]
    assert list(length_lines(ClipLengths([Length(61, 25.0)], 1, RGB))) == ["  lengths: 61 frames, 25 frames per second"]
    assert list(length_lines(ClipLengths([], 1500, RGB))) == []


def test_the_input_is_told_by_frames_size_and_normalisation() -> None:
    assert list(input_lines(RGB)) == [
        "clip: 16 frames, every 4th, 224x224 pixels",
        "normalisation: RGB by ImageNet's mean and deviation",
    ]
    assert list(input_lines(BOTH)) == [
        "clip: 1 frame and 5 flow fields in each of 3 snippets, 88x64 pixels",
        "normalisation: RGB by mean 0.5 and deviation 0.25; flow less its mean",
    ]


def test_a_network_is_told_with_where_its_weights_come_from() -> None:
    model = small(SingleFrame, ["a", "b"], ClipSettings())
    number = sum(parameter.numel() for parameter in model.parameters())
    assert list(network_lines(model, None)) == [
        f"network: SingleFrame, {number:,} parameters",
        "  backbone: small, from scratch",
    ]
    model.hparams["weights"] = "DEFAULT"
    assert list(network_lines(model, None))[1] == "  backbone: small, pretrained weights DEFAULT"
    whole = small(X3D, ["a", "b"], ClipSettings(clip_len=4))  # which is not built on a backbone by name
    assert list(network_lines(whole, None))[1:] == ["  from scratch"]
    whole.hparams["weights"] = "X3D_S.pyth"
    assert list(network_lines(whole, None))[1:] == ["  pretrained weights X3D_S.pyth"]
    assert list(network_lines(model, "runs/a/last.ckpt"))[1:] == ["  weights: of runs/a/last.ckpt"]
    both = small(TwoStream, ["a", "b"], ClipSettings())
    both.hparams["temporal_checkpoint"] = "runs/b/best.ckpt"
    assert list(network_lines(both, None))[1:] == [
        "  spatial: small, from scratch",
        "  temporal: small, pretrained weights runs/b/best.ckpt",
    ]


def test_training_videos_that_an_epoch_leaves_out_are_counted_where_they_are_many() -> None:
    (line,) = left_out_lines(40, 32)
    assert line.startswith(
        "hint: each epoch leaves out 8 of 40 training videos, others each time: the last batch of 32"
    )
    for num_videos, per_step in ((64, 32), (20, 32), (650, 32)):  # none, one batch of all, fewer than a twentieth
        assert list(left_out_lines(num_videos, per_step)) == []


def test_a_training_from_scratch_continues_nothing_and_has_no_pretrained_network() -> None:
    model = SingleFrame(class_names=["a", "b"], clip=ClipSettings(), backbone="small")
    assert starts_from_scratch(model, None)
    assert not starts_from_scratch(model, "last.ckpt")
    model.hparams["weights"] = "DEFAULT"
    assert not starts_from_scratch(model, None)


def test_what_repeats_do_to_an_epoch_is_said() -> None:
    assert list(repeat_lines(1)) == []
    (line,) = repeat_lines(2)
    assert "2 clips of each video that is opened, so that an epoch has 2 times the clips and steps" in line

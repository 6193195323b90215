"""Clips of several snippets are cut and put together in the right order."""

from __future__ import annotations

import torch

from vidcls.layers.snippets import as_clip, as_frames, average_clips, num_clips, num_frames, split_clips
from vidcls.types import ClipSettings

CLIP = ClipSettings(num_snippets=3, clip_len=4)


def test_averaged_snippets_are_clips_of_their_own_and_joined_ones_are_one_clip() -> None:
    assert (num_clips(CLIP, "average"), num_frames(CLIP, "average")) == (3, 4)
    assert (num_clips(CLIP, "join"), num_frames(CLIP, "join")) == (1, 12)


def test_the_snippets_of_a_video_follow_each_other() -> None:
    frames = torch.tensor([0.0, 1.0, 2.0, 3.0]).view(1, 1, 4, 1, 1)
    videos = torch.cat([frames, frames + 10])  # (2, 1, 4, 1, 1)
    clips = split_clips(videos, 2)
    assert clips.shape == (4, 1, 2, 1, 1)
    assert clips.flatten(1).tolist() == [[0, 1], [2, 3], [10, 11], [12, 13]]


def test_logits_are_averaged_over_the_snippets_of_each_video() -> None:
    logits = torch.tensor([[0.0, 1.0], [2.0, 3.0], [10.0, 20.0], [30.0, 40.0]])
    assert average_clips(logits, 2).tolist() == [[1.0, 2.0], [20.0, 30.0]]


def test_frames_among_the_batch_come_back_as_the_clip() -> None:
    clip = torch.randn(2, 3, 4, 5, 6)
    frames = as_frames(clip)
    assert torch.equal(frames[5], clip[1, :, 1])
    assert torch.equal(as_clip(frames, 4), clip)

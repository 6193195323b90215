"""What every reader must do with every kind of file.

A new reader joins through ``BACKENDS``, a new kind of file through ``MAKERS``.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Sequence
from contextlib import closing

import pytest
import torch
from torch import Tensor

from vidcls.errors import DecodeError, MissingExtraError
from vidcls.video import BACKENDS, DecoderFallbackWarning, MemoryReader, VideoReader, open_video

READERS = [*BACKENDS, "memory"]


def _shuffled(num_frames: int) -> list[int]:
    return random.Random(0).sample(range(num_frames), num_frames)


PATTERNS: dict[str, Callable[[int], list[list[int]]]] = {
    "all at once": lambda num_frames: [list(range(num_frames))],
    "one after the other": lambda num_frames: [[i] for i in range(num_frames)],
    "backwards": lambda num_frames: [[i] for i in reversed(range(num_frames))],
    "strided": lambda num_frames: [list(range(start, num_frames, 4)) for start in (3, 0, 2)],
    "random, unsorted": lambda num_frames: [_shuffled(num_frames)[i : i + 3] for i in range(0, num_frames - 2, 3)],
    "repeated": lambda num_frames: [[7, 7, 2, 7], [num_frames - 1] * 2, [0, num_frames - 1, 0]],
}


def _open(name: str, clip) -> VideoReader:
    if name == "memory":
        return MemoryReader(clip.frames, fps=clip.fps)
    try:
        return open_video(clip.path, name)
    except MissingExtraError as error:
        pytest.skip(str(error))
    except DecodeError as error:
        if name not in clip.refused_by:
            raise
        pytest.skip(f"known to be refused: {error}")


def _nearest_written(frames: Tensor, written: Tensor) -> list[int]:
    """For each frame the index of the written frame that it is closest to."""
    return [int((written.float() - frame.float()).abs().mean(dim=(1, 2, 3)).argmin()) for frame in frames]


def _frames(reader: VideoReader, name: str, clip, indices: Sequence[int]) -> Tensor | None:
    """The frames; None where this reader says that it cannot, and is known to."""
    try:
        return reader.frames(indices)
    except DecodeError:
        if name not in clip.refused_by:
            raise
        return None


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("name", READERS)
def test_every_index_gives_the_frame_that_was_written_there(name, pattern, clip) -> None:
    with closing(_open(name, clip)) as reader:
        for indices in PATTERNS[pattern](len(clip.frames)):
            frames = _frames(reader, name, clip, indices)
            if frames is None:
                continue
            assert frames.shape == (len(indices), 3, *clip.frames.shape[2:])
            assert frames.dtype == torch.uint8
            assert _nearest_written(frames, clip.frames) == indices
            assert (frames.float() - clip.frames[indices].float()).abs().mean() < 3


@pytest.mark.parametrize("name", READERS)
def test_the_facts_are_those_of_the_written_video(name, clip) -> None:
    with closing(_open(name, clip)) as reader:
        assert reader.num_frames == len(clip.frames)
        assert reader.fps == pytest.approx(clip.fps, rel=1e-3)
        if name in clip.refused_by:
            return
        info = reader.info
        assert (info.height_px, info.width_px) == tuple(clip.frames.shape[2:])
        assert (info.num_frames, info.fps) == (reader.num_frames, reader.fps)
        expected = {"h264", "mpeg4", "mpeg2video", "mjpeg", "ffv1", "rawvideo"} if name != "memory" else {"raw"}
        assert info.codec in expected


@pytest.mark.parametrize("name", BACKENDS)
def test_each_frame_has_the_second_at_which_it_is_shown(name, clip) -> None:
    with closing(_open(name, clip)) as reader:
        seconds = reader.frame_seconds
        assert seconds[0] == 0.0
        assert seconds == pytest.approx(clip.frame_seconds, abs=1e-3)  # a tick of Matroska's and FLV's clocks


@pytest.mark.parametrize("name", [backend for backend in BACKENDS if backend != "pyav"])
def test_decoders_agree_within_one_of_255(name, clip) -> None:
    everything = range(len(clip.frames))
    with closing(_open(name, clip)) as reader, open_video(clip.path, "pyav") as reference:
        frames = _frames(reader, name, clip, everything)
        if frames is None:
            pytest.skip(f"{name} is known to refuse this file")
        assert (frames.float() - reference.frames(everything).float()).abs().mean(dim=(1, 2, 3)).max() <= 1


def test_with_the_fall_back_every_file_is_read(clip) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DecoderFallbackWarning)
        with open_video(clip.path) as video:
            assert _nearest_written(video.frames([9, 3, 11]), clip.frames) == [9, 3, 11]
            assert video.fallbacks == ("decord" in clip.refused_by)


def test_lossless_frames_come_back_bit_for_bit(clip_of) -> None:
    clip = clip_of("lossless")
    for backend in BACKENDS:
        try:
            video = open_video(clip.path, backend)
        except MissingExtraError:
            continue
        with video:
            assert torch.equal(video.frames(range(len(clip.frames))), clip.frames)

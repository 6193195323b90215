"""Frame indices: inside the video, in order, and where the arithmetic says."""

from __future__ import annotations

import doctest
from fractions import Fraction
from itertools import pairwise

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from vidcls.errors import DatasetError
from vidcls.video import (
    flow_window,
    random_clip,
    sampling,
    segment_clips,
    stride_frames,
    uniform_views,
    windows,
)

num_frames_ = st.integers(1, 400)
clip_len_ = st.integers(1, 40)
stride_ = st.one_of(st.integers(1, 12), st.fractions(Fraction(1, 8), 12, max_denominator=30))
short_ = st.sampled_from(["loop", "last"])
seed_ = st.integers(0, 2**31)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def offsets(clip_len: int, stride: Fraction | int) -> list[int]:
    return [int(k * stride) for k in range(clip_len)]


def test_the_examples_in_the_documentation_hold() -> None:
    result = doctest.testmod(sampling)
    assert result.attempted >= 6
    assert result.failed == 0


@given(num_frames_, clip_len_, stride_, short_, seed_)
def test_a_random_clip_lies_in_the_video_with_exact_distances(num_frames, clip_len, stride, short, seed) -> None:
    clip = random_clip(num_frames, clip_len, stride, generator=seeded(seed), short=short)
    assert len(clip) == clip_len
    assert all(0 <= i < num_frames for i in clip)
    steps = offsets(clip_len, stride)
    if steps[-1] < num_frames:
        assert [i - clip[0] for i in clip] == steps
    elif short == "loop":
        assert clip == [step % num_frames for step in steps]
    else:
        assert clip == [min(step, num_frames - 1) for step in steps]


def test_a_random_clip_starts_at_every_place_that_fits_equally_often() -> None:
    generator = seeded(0)
    starts = [random_clip(10, 4, 2, generator=generator)[0] for _ in range(4000)]
    counts = [starts.count(start) for start in range(4)]  # spans 7 frames: starts 0 to 3
    assert sum(counts) == 4000
    assert all(900 < count < 1100 for count in counts)


def test_the_same_generator_state_gives_the_same_clip() -> None:
    assert random_clip(100, 4, 2, generator=seeded(3)) == random_clip(100, 4, 2, generator=seeded(3))


@pytest.mark.parametrize("sample", [random_clip, segment_clips, uniform_views])
def test_a_short_video_is_an_error_where_the_policy_says_so(sample) -> None:
    arguments = {
        random_clip: ((5, 4, 2), {"generator": seeded(0)}),
        segment_clips: ((5, 2, 4, 2), {"generator": None}),
        uniform_views: ((5, 2, 4, 2), {}),
    }
    args, kwargs = arguments[sample]
    with pytest.raises(DatasetError, match="5 frames, a clip of 4 frames with stride 2 spans 7; use a shorter clip"):
        sample(*args, **kwargs, short="error")


def test_a_short_video_is_looped_or_its_last_frame_repeated() -> None:
    assert random_clip(3, 7, 1, generator=seeded(0), short="loop") == [0, 1, 2, 0, 1, 2, 0]
    assert random_clip(3, 5, 2, generator=seeded(0), short="last") == [0, 2, 2, 2, 2]
    assert random_clip(7, 4, 2, generator=seeded(0), short="error") == [0, 2, 4, 6]  # just fits


@given(num_frames_, st.integers(1, 12), clip_len_, stride_, short_, st.none() | seed_)
@example(92, 3, 9, 11, "loop", None)  # the middle of the second third of four starts is the third start
def test_segments_are_in_order_and_inside(num_frames, num_snippets, clip_len, stride, short, seed) -> None:
    generator = None if seed is None else seeded(seed)
    clips = segment_clips(num_frames, num_snippets, clip_len, stride, generator=generator, short=short)
    assert len(clips) == num_snippets
    assert all(len(clip) == clip_len and min(clip) >= 0 and max(clip) < num_frames for clip in clips)
    assert clips == sorted(clips) or offsets(clip_len, stride)[-1] >= num_frames
    num_starts = num_frames - offsets(clip_len, stride)[-1]
    if num_starts >= num_snippets:  # one snippet begins in each of as many equal parts
        for i, clip in enumerate(clips):
            low, high = i * num_starts, (i + 1) * num_starts  # of the part, in units of 1 / num_snippets
            if seed is None:  # its middle, the frame in which it falls
                assert low < (clip[0] + 1) * num_snippets
                assert clip[0] * num_snippets < high
            else:
                assert low // num_snippets <= clip[0] < high // num_snippets


def test_segments_have_the_middle_frames_of_the_paper_at_test() -> None:
    # int(tick / 2 + tick * i) with tick = num_frames / num_snippets, as in the authors' code
    for num_frames, num_snippets in ((30, 3), (100, 7), (180, 25), (2, 3)):
        tick = num_frames / num_snippets
        clips = segment_clips(num_frames, num_snippets, 1, 1, generator=None)
        assert clips == [[int(tick / 2 + tick * i)] for i in range(num_snippets)]


@given(num_frames_, st.integers(1, 12), clip_len_, stride_, short_)
def test_views_reach_from_the_first_frame_to_the_last(num_frames, num_views, clip_len, stride, short) -> None:
    views = uniform_views(num_frames, num_views, clip_len, stride, short=short)
    assert len(views) == num_views
    assert all(len(view) == clip_len and min(view) >= 0 and max(view) < num_frames for view in views)
    if offsets(clip_len, stride)[-1] >= num_frames:
        assert all(view == views[0] for view in views)
    elif num_views == 1:
        before, after = views[0][0], num_frames - 1 - views[0][-1]
        assert 0 <= after - before <= 1
    else:
        assert views[0][0] == 0
        assert views[-1][-1] == num_frames - 1
        gaps = [later[0] - earlier[0] for earlier, later in pairwise(views)]
        assert max(gaps) - min(gaps) <= 1


@given(st.integers(2, 300), st.integers(1, 40), st.data())
def test_a_flow_window_is_neighbouring_fields_around_the_frame(num_frames, flow_len, data) -> None:
    frame = data.draw(st.integers(0, num_frames - 1))
    window = flow_window(frame, flow_len, num_frames)
    assert len(window) == flow_len
    assert all(0 <= field < num_frames - 1 for field in window)
    if flow_len < num_frames:
        assert window == list(range(window[0], window[0] + flow_len))
        if flow_len // 2 <= frame <= num_frames - 1 - (flow_len + 1) // 2:  # not moved inward
            before, after = frame - window[0], window[-1] + 1 - frame  # in frames, on both sides of the middle one
            assert after - before == flow_len % 2


def test_too_few_fields_are_looped_or_the_last_repeated_or_an_error() -> None:
    assert flow_window(2, 5, 3, short="loop") == [0, 1, 0, 1, 0]
    assert flow_window(2, 5, 3, short="last") == [0, 1, 1, 1, 1]
    assert flow_window(2, 2, 3, short="error") == [0, 1]
    with pytest.raises(DatasetError, match="2 flow fields, 5 are needed"):
        flow_window(2, 5, 3, short="error")


def test_a_single_frame_has_fields_of_zeros_only() -> None:
    assert flow_window(0, 3, 1) == [None, None, None]
    with pytest.raises(DatasetError, match="0 flow fields"):
        flow_window(0, 3, 1, short="error")


@given(num_frames_, st.integers(1, 100), st.data())
def test_windows_cover_every_frame_and_only_the_last_ends_the_video(num_frames, window_len, data) -> None:
    hop = data.draw(st.integers(1, window_len))
    cut = windows(num_frames, window_len, hop)
    assert set().union(*(range(start, stop) for start, stop in cut)) == set(range(num_frames))
    assert all(stop - start == window_len for start, stop in cut[:-1])
    assert 1 <= cut[-1][1] - cut[-1][0] <= window_len
    assert [stop == num_frames for _, stop in cut] == [False] * (len(cut) - 1) + [True]
    assert [start for start, _ in cut] == [i * hop for i in range(len(cut))]


def test_a_stride_in_seconds_is_exact_at_every_usual_frame_rate() -> None:
    assert stride_frames(4, None, 0.0) == 4
    for fps in (24, 25, 30, 30000 / 1001, 50, 60000 / 1001):
        for num_steps in (1, 2, 3, 7):
            assert stride_frames(1, num_steps / fps, fps) == pytest.approx(num_steps, rel=1e-4)
    assert stride_frames(1, 0.1, 30.0) == 3  # 0.1 * 30 is 3.0000000000000004 in floats, 0.7 * 10 is 6.999999999999999
    assert stride_frames(1, 0.7, 10.0) == 7
    assert stride_frames(1, 0.04, 12.5) == Fraction(1, 2)


def test_the_same_seconds_are_read_from_videos_of_two_frame_rates() -> None:
    slow = uniform_views(250, 1, 5, stride_frames(1, 0.4, 25.0))[0]
    fast = uniform_views(500, 1, 5, stride_frames(1, 0.4, 50.0))[0]
    assert [i / 25 - slow[0] / 25 for i in slow] == pytest.approx([i / 50 - fast[0] / 50 for i in fast])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: random_clip(0, 4, 1, generator=seeded(0)), "num_frames is 0"),
        (lambda: random_clip(9, 0, 1, generator=seeded(0)), "clip_len is 0"),
        (lambda: random_clip(9, 4, 0, generator=seeded(0)), "stride is 0"),
        (lambda: random_clip(9, 4, 1, generator=seeded(0), short="pad"), "'pad'; allowed are loop, last, error"),
        (lambda: segment_clips(9, 0, 4, 1, generator=None), "num_snippets is 0"),
        (lambda: uniform_views(9, 0, 4, 1), "num_views is 0"),
        (lambda: flow_window(9, 2, 9), "middle_frame is 9; the video has the frames 0 to 8"),
        (lambda: flow_window(0, 0, 9), "flow_len is 0"),
        (lambda: windows(9, 4, 5), "hop is 5 frames"),
        (lambda: stride_frames(0, None, 25.0), "stride is 0 frames"),
        (lambda: stride_frames(1, -0.5, 25.0), "stride_seconds is -0.5"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(call, words) -> None:
    with pytest.raises(ValueError, match=words):
        call()


def test_a_stride_in_seconds_needs_a_frame_rate() -> None:
    with pytest.raises(DatasetError, match="stride in frames"):
        stride_frames(1, 0.1, 0.0)

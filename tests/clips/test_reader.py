"""Frame indices -> pixels and flow, on a video whose frame t has the value t everywhere."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import Tensor

from vidcls.clips import InputSettings
from vidcls.clips.reader import ClipReader
from vidcls.errors import DatasetError, FlowError
from vidcls.flow import FlowSettings, flow_as_stored
from vidcls.transforms import ClipPixels
from vidcls.types import FLOW, RGB, ClipSettings, Stream, VideoRecord
from vidcls.video import LocalFile, MemoryReader
from vidcls.video.video_reader import Frames
from vidcls.video_part import VideoPart

RECORD = VideoRecord(source=LocalFile(Path("clip.mp4")), label="walk", split="train", name="clip.mp4")


class PaintedFlow:
    """A store whose field t has the value t everywhere."""

    def fields(self, _record: VideoRecord, indices: Sequence[int]) -> Tensor:
        return torch.tensor([float(i) for i in indices]).view(-1, 1, 1, 1).expand(-1, 2, 6, 8)


OfVideo = Callable[..., ClipReader]


@pytest.fixture
def reader_of(monkeypatch: pytest.MonkeyPatch) -> OfVideo:
    """A reader of a painted video of ``num_frames``; ``frames`` gives other pixels."""

    def make(
        num_frames: int = 30,
        *,
        frames: Tensor | None = None,
        fps: float = 25.0,
        stored: bool = True,
        **settings: object,
    ) -> ClipReader:
        if frames is None:
            frames = torch.arange(num_frames, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 6, 8)

        @contextmanager
        def opened(_path: Path, _backend: str | None) -> Iterator[MemoryReader]:
            yield MemoryReader(frames, fps=fps)

        monkeypatch.setattr("vidcls.clips.reader.open_video", opened)
        given = {"streams": ("rgb", "flow"), "flow_settings": FlowSettings(), **settings}
        return ClipReader(InputSettings(**given), PaintedFlow() if stored else None)  # type: ignore[arg-type]

    return make


def values(pixels: ClipPixels) -> tuple[list[int], list[int]]:
    """The frame and the field numbers of a clip."""
    return [int(frame.amax()) for frame in pixels["rgb"]], [int(field.amax()) for field in pixels["flow"]]


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("seed", range(10))
def test_a_training_clip_has_frames_a_stride_apart_and_the_neighbouring_fields_around_its_middle(
    reader_of: OfVideo, seed: int
) -> None:
    reader = reader_of(30, clip=ClipSettings(clip_len=4, stride=3, flow_len=6))
    frames, fields = values(reader.train_clip(RECORD, generator(seed)))
    assert frames == [frames[0] + 3 * k for k in range(4)]
    middle = frames[2]
    first = min(max(middle - 3, 0), 29 - 6)
    assert fields == list(range(first, first + 6))


def test_training_clips_start_everywhere(reader_of: OfVideo) -> None:
    reader = reader_of(12, clip=ClipSettings(clip_len=3, stride=2, flow_len=2))
    starts = {values(reader.train_clip(RECORD, generator(seed)))[0][0] for seed in range(100)}
    assert starts == set(range(8))


@pytest.mark.parametrize("seed", range(5))
def test_snippets_come_one_from_each_segment_in_order_each_with_its_own_fields(reader_of: OfVideo, seed: int) -> None:
    reader = reader_of(30, clip=ClipSettings(num_snippets=3, clip_len=1, flow_len=2))
    frames, fields = values(reader.train_clip(RECORD, generator(seed)))
    assert [frame // 10 for frame in frames] == [0, 1, 2]
    for snippet, frame in enumerate(frames):
        first = min(max(frame - 1, 0), 27)
        assert fields[2 * snippet : 2 * snippet + 2] == [first, first + 1]


def test_test_clips_are_evenly_spaced_from_the_first_frame_to_the_last(reader_of: OfVideo) -> None:
    reader = reader_of(21, clip=ClipSettings(clip_len=1, flow_len=2), test_clips=3)
    assert [values(clip) for clip in reader.test_clips(RECORD)] == [([0], [0, 1]), ([10], [9, 10]), ([20], [18, 19])]


def test_one_test_clip_lies_in_the_middle(reader_of: OfVideo) -> None:
    reader = reader_of(21, clip=ClipSettings(clip_len=3, stride=2, flow_len=2))
    assert values(reader.test_clips(RECORD)[0]) == ([8, 10, 12], [9, 10])


def test_the_snippets_of_test_clips_each_span_the_video(reader_of: OfVideo) -> None:
    reader = reader_of(25, clip=ClipSettings(num_snippets=2, clip_len=1, flow_len=1), test_clips=3)
    assert [values(clip)[0] for clip in reader.test_clips(RECORD)] == [[0, 14], [4, 19], [9, 24]]


def test_the_snippets_of_one_test_clip_are_the_middles_of_the_segments(reader_of: OfVideo) -> None:
    reader = reader_of(30, clip=ClipSettings(num_snippets=3, clip_len=1, flow_len=1))
    assert values(reader.test_clips(RECORD)[0])[0] == [5, 15, 25]


def test_a_range_of_frames_is_scored_alone(reader_of: OfVideo) -> None:
    reader = reader_of(30, clip=ClipSettings(clip_len=1, flow_len=2), test_clips=2)
    assert [values(clip)[0] for clip in reader.test_clips(RECORD, frame_range=(10, 16))] == [[10], [15]]


def test_a_stride_in_seconds_follows_the_frame_rate(reader_of: OfVideo) -> None:
    for fps, expected in ((10.0, [13, 15, 17]), (30.0, [9, 15, 21])):
        reader = reader_of(31, fps=fps, clip=ClipSettings(clip_len=3, flow_len=2), stride_seconds=0.2)
        frames = values(reader.test_clips(RECORD)[0])[0]
        assert frames == expected


def test_a_stride_in_seconds_follows_the_time_of_a_variable_rate(
    reader_of: OfVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = [0.2 * i for i in range(10)] + [2 + 0.05 * i for i in range(20)]  # 10 frames in 2 s, then 20 in 1 s
    monkeypatch.setattr(MemoryReader, "frame_seconds", property(lambda _: seconds))
    reader = reader_of(30, fps=10.0, clip=ClipSettings(clip_len=6, flow_len=2), stride_seconds=0.5)
    frames = values(reader.test_clips(RECORD)[0])[0]
    gaps = [seconds[after] - seconds[before] for before, after in itertools.pairwise(frames)]
    assert all(0.3 <= gap <= 0.7 for gap in gaps)
    assert frames[0] < 3
    assert seconds[frames[-1]] > 2.5
    clip = values(reader.train_clip(RECORD, generator(0)))[0]
    assert all(0.3 <= seconds[b] - seconds[a] <= 0.7 for a, b in itertools.pairwise(clip))


@pytest.mark.parametrize(("short", "expected"), [("loop", [0, 1, 2, 0, 1]), ("last", [0, 1, 2, 2, 2])])
def test_a_short_video_follows_the_policy(reader_of: OfVideo, short: str, expected: list[int]) -> None:
    reader = reader_of(3, clip=ClipSettings(clip_len=5, flow_len=2), short_videos=short)
    assert values(reader.train_clip(RECORD, generator(0)))[0] == expected
    assert values(reader.test_clips(RECORD)[0])[0] == expected


def test_a_short_video_is_refused_by_name_where_asked(reader_of: OfVideo) -> None:
    reader = reader_of(3, clip=ClipSettings(clip_len=5), short_videos="error")
    with pytest.raises(DatasetError, match=r"clip\.mp4: the video has 3 frames, a clip of 5 frames"):
        reader.train_clip(RECORD, generator(0))


@pytest.mark.parametrize("stored", [True, False])
def test_a_video_of_one_frame_does_not_move(reader_of: OfVideo, stored: bool) -> None:
    reader = reader_of(1, stored=stored, clip=ClipSettings(clip_len=2, flow_len=4))
    for clip in (reader.train_clip(RECORD, generator(0)), *reader.test_clips(RECORD)):
        assert clip["rgb"].shape == (2, 3, 6, 8)
        assert clip["flow"].shape == (4, 2, 6, 8)
        assert not clip["flow"].any()


def test_only_the_streams_that_are_asked_for_are_read(reader_of: OfVideo) -> None:
    rgb = reader_of(30, streams=("rgb",), flow_settings=None).train_clip(RECORD, generator(0))
    flow = reader_of(30, streams=("flow",)).train_clip(RECORD, generator(0))
    assert (list(rgb), list(flow)) == (["rgb"], ["flow"])


@pytest.mark.parametrize("is_test", [False, True])
def test_streams_of_several_rates_take_each_nth_frame_of_a_snippet(reader_of: OfVideo, is_test: bool) -> None:
    streams = (Stream("slow", "rgb", every=4), Stream("fast", "rgb"), Stream("motion", "flow", every=2), FLOW)
    reader = reader_of(30, streams=streams, clip=ClipSettings(num_snippets=2, clip_len=6, stride=2, flow_len=5))
    clip = reader.test_clips(RECORD)[0] if is_test else reader.train_clip(RECORD, generator(0))
    assert list(clip) == ["slow", "fast", "motion", "flow"]
    slow, fast, motion, fields = ([int(value) for value in stream.amax(dim=(1, 2, 3))] for stream in clip.values())
    assert fast == [*range(fast[0], fast[0] + 12, 2), *range(fast[6], fast[6] + 12, 2)]
    assert slow == [fast[0], fast[4], fast[6], fast[10]]
    assert motion == [fields[k] for k in (0, 2, 4, 5, 7, 9)]


@pytest.mark.parametrize("flow_on", ["worker", "device"])
def test_all_streams_of_all_clips_come_from_one_decode_of_the_frames_that_any_of_them_needs(
    reader_of: OfVideo, monkeypatch: pytest.MonkeyPatch, flow_on: str
) -> None:
    asked: list[list[int]] = []

    class Counted(MemoryReader):
        def pixels(self, indices: Sequence[int]) -> Frames:
            asked.append(list(indices))
            return super().pixels(indices)

    @contextmanager
    def opened(_path: Path, _backend: str | None) -> Iterator[MemoryReader]:
        yield Counted(torch.arange(30, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 32, 32).clone(), fps=25.0)

    streams = (Stream("slow", "rgb", every=2), Stream("slower", "rgb", every=3), FLOW)
    clip = ClipSettings(clip_len=4, stride=3, flow_len=2)
    reader = reader_of(stored=False, streams=streams, clip=clip, test_clips=2, flow_on=flow_on)
    monkeypatch.setattr("vidcls.clips.reader.open_video", opened)
    first, last = reader.test_clips(RECORD)
    assert asked == [[0, 5, 6, 7, 9, 20, 25, 26, 27, 29]]  # 3 and 23 are seen by no stream
    assert [int(v) for v in first["slow"].amax(dim=(1, 2, 3))] == [0, 6]
    assert [int(v) for v in last["slower"].amax(dim=(1, 2, 3))] == [20, 29]
    assert first["flow"].shape[:2] == ((2, 2) if flow_on == "worker" else (4, 3))


def test_a_short_video_is_long_enough_where_the_fields_that_it_lacks_are_not_seen(reader_of: OfVideo) -> None:
    clip = ClipSettings(clip_len=3, flow_len=10)
    reader = reader_of(5, streams=("rgb",), flow_settings=None, clip=clip, short_videos="error")
    assert [int(frame.amax()) for frame in reader.test_clips(RECORD)[0]["rgb"]] == [1, 2, 3]
    with pytest.raises(DatasetError, match="4 flow fields, 10 are needed"):
        reader_of(5, clip=clip, short_videos="error").test_clips(RECORD)


def test_plain_streams_are_kept_as_words_and_others_with_all_that_they_are() -> None:
    settings = InputSettings(("rgb", Stream("slow", "rgb", every=4), "flow"), flow_settings=FlowSettings())  # type: ignore[arg-type]
    plain = settings.to_dict()
    assert plain["streams"] == ["rgb", {"name": "slow", "kind": "rgb", "every": 4}, "flow"]
    assert InputSettings.from_dict(plain) == settings


@pytest.mark.parametrize(
    ("streams", "words"),
    [
        ("rgb", "must be a list"),
        (["depth"], "the stream depth has the kind 'depth'; allowed are rgb, flow"),
        ([{"name": "a b", "kind": "rgb"}], "must be a Python identifier"),
        ([{"name": "slow", "kind": "rgb", "every": 0}], "must be an integer of at least 1"),
        ([{"name": "slow", "rate": 4}], "must be rgb, flow, audio, or a name and a kind"),
        (["rgb", {"name": "rgb", "kind": "rgb", "every": 2}], "two of the streams rgb, rgb have one name"),
    ],
)
def test_streams_that_cannot_be_are_refused(streams: object, words: str) -> None:
    plain = {**InputSettings((RGB,)).to_dict(), "streams": streams}
    with pytest.raises((TypeError, ValueError), match=words):
        InputSettings.from_dict(plain)


def test_flow_that_is_computed_has_the_fields_of_the_whole_video_at_the_same_places(reader_of: OfVideo) -> None:
    coarse = torch.rand(1, 3, 12, 12, generator=generator(1))
    picture = (torch.nn.functional.interpolate(coarse, size=(48, 60), mode="bicubic").clamp(0, 1) * 255).to(torch.uint8)
    frames = torch.cat([picture.roll((t, 2 * t), dims=(-2, -1)) for t in range(12)])
    settings = FlowSettings(short_side_px=32)
    reader = reader_of(frames=frames, stored=False, flow_settings=settings, clip=ClipSettings(flow_len=3), test_clips=2)
    whole = flow_as_stored(frames, settings)
    found = [clip["flow"] for clip in reader.test_clips(RECORD)]
    assert torch.equal(found[0], whole[0:3])
    assert torch.equal(found[1], whole[8:11])


@pytest.mark.parametrize("flow_settings", [None, FlowSettings()])
def test_settings_travel_as_plain_types(flow_settings: FlowSettings | None) -> None:
    import json

    from vidcls.transforms import TransformSettings

    settings = InputSettings(
        streams=("rgb", "flow") if flow_settings else ("rgb",),
        clip=ClipSettings(2, 3, 4, 5),
        stride_seconds=0.25,
        short_videos="last",
        transform=TransformSettings(crop_px=99, test_crops=3, flip_label_swaps={"a": "b"}, rgb_mean=(0.1, 0.2, 0.3)),
        test_clips=7,
        flow_settings=flow_settings,
        decoder="pyav",
    )
    assert InputSettings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


def test_stored_flow_of_a_shorter_video_is_refused(reader_of: OfVideo, monkeypatch: pytest.MonkeyPatch) -> None:
    def fields(_store: PaintedFlow, _record: VideoRecord, _indices: Sequence[int]) -> Tensor:
        raise IndexError("'clip.mp4' has fields 0 to 3, 28 was asked for")

    monkeypatch.setattr(PaintedFlow, "fields", fields)
    with pytest.raises(FlowError, match=r"clip\.mp4: has 30 frames, but its stored flow is shorter \(.* 0 to 3, 28"):
        reader_of(30).test_clips(RECORD)


def test_a_flow_stream_without_flow_settings_is_refused() -> None:
    with pytest.raises(ValueError, match="a flow stream needs flow_settings"):
        InputSettings(streams=("flow",))
    with pytest.raises(ValueError, match="test_clips must be at least 1, got 0"):
        InputSettings(streams=("rgb",), test_clips=0)


@pytest.mark.parametrize("is_test", [False, True])
def test_a_video_is_closed_before_its_flow_is_computed(
    is_test: bool, reader_of: OfVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []

    @contextmanager
    def opened(_path: Path, _backend: str | None) -> Iterator[MemoryReader]:
        yield MemoryReader(torch.zeros(30, 3, 6, 8, dtype=torch.uint8), fps=25.0)
        events.append("closed")

    def computed(frames: Tensor, settings: FlowSettings, **_: object) -> Tensor:
        events.append("flow")
        return flow_as_stored(frames, settings)

    reader = reader_of(stored=False, streams=("rgb", "flow"), clip=ClipSettings(flow_len=2))
    monkeypatch.setattr("vidcls.clips.reader.open_video", opened)
    monkeypatch.setattr("vidcls.clips.reader.flow_as_stored", computed)
    clips = reader.test_clips(RECORD) if is_test else [reader.train_clip(RECORD, torch.Generator())]
    assert events[:2] == ["closed", "flow"]
    assert all(list(clip) == ["rgb", "flow"] for clip in clips)


def part(start: float, end: float, unit: str = "seconds") -> VideoRecord:
    return RECORD.with_part(VideoPart(start, end, unit))  # type: ignore[arg-type]


@pytest.mark.parametrize("record", [part(0.4, 0.8), part(10, 20, "frames")], ids=["seconds", "frames"])
def test_clips_of_a_part_have_its_frames_and_its_fields_alone(reader_of: OfVideo, record: VideoRecord) -> None:
    reader = reader_of(30, clip=ClipSettings(clip_len=3, stride=2, flow_len=4), test_clips=3)
    seen = [values(reader.train_clip(record, generator(seed))) for seed in range(60)]
    seen += [values(clip) for clip in reader.test_clips(record)]
    assert {frame for frames, _ in seen for frame in frames} == set(range(10, 20))
    assert {field for _, fields in seen for field in fields} == set(range(10, 19))


def test_a_part_shorter_than_a_clip_starts_again_within_itself(reader_of: OfVideo) -> None:
    reader = reader_of(30, clip=ClipSettings(clip_len=6, flow_len=4))
    assert values(reader.test_clips(part(12, 15, "frames"))[0]) == ([12, 13, 14, 12, 13, 14], [12, 13, 12, 13])
    with pytest.raises(DatasetError, match="has 3 frames"):
        reader_of(30, clip=ClipSettings(clip_len=6), short_videos="error").test_clips(part(12, 15, "frames"))


BEYOND = {
    "from 1.2 to 1.3 s is beyond the end of the video, which lasts 1.2 s": part(1.2, 1.3),
    "from 0.4 to 9 s is beyond the end": part(0.4, 9),
    "from frame 20 to 31 is beyond the end of the video, which has 30 frames": part(20, 31, "frames"),
    "from 0.41 to 0.43 s has no frame": part(0.41, 0.43),
}


@pytest.mark.parametrize("words", BEYOND)
def test_a_part_that_is_not_in_the_video_is_refused_in_one_line(reader_of: OfVideo, words: str) -> None:
    with pytest.raises(DatasetError, match=rf"^clip\.mp4: the part {words}"):
        reader_of(30).test_clips(BEYOND[words])


def test_the_flow_of_a_part_is_that_of_the_store_bit_for_bit(reader_of: OfVideo) -> None:
    frames = torch.randint(0, 256, (12, 3, 32, 40), dtype=torch.uint8, generator=generator(0))
    settings = FlowSettings(method="farneback")
    reader = reader_of(frames=frames, stored=False, flow_settings=settings, clip=ClipSettings(clip_len=2, flow_len=3))
    found = reader.test_clips(part(4, 9, "frames"))[0]["flow"]
    assert torch.equal(found, flow_as_stored(frames, settings)[[5, 6, 7]])

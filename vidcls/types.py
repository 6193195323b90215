"""The nouns that cross package borders, and the legend of axes.

Axes: B batch, C channels, T frames, H height, W width, K classes, D features, V views (clips x crops of one video).

======================  =====================  =================================================
what                    shape                  unit
======================  =====================  =================================================
decoded frames          ``(T, 3, H, W)``       uint8 RGB, upright, in presentation order
flow fields             ``(T, 2, H, W)``       float32 pixels per frame: x to the right, y down
a clip                  ``(C, T, H, W)``       float32, C = 3 (rgb) or 2 (flow)
a clip of sound         ``(1, S, M, N)``       float32 log-mel, one for each of S snippets; NaN where there is no sound
a training batch        ``(B, C, T, H, W)``
a test sample           ``(V, C, T, H, W)``    one video
======================  =====================  =================================================

Sound is a spectrogram of M mel bands (low ones first) and N columns of 10 ms, centred on its snippet. It has the axes
of a frame, C = 1, T = S, H = M and W = N, so that batches, views and any 2D network of one channel take it like frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, TypedDict, runtime_checkable

from vidcls.video_part import VideoPart

if TYPE_CHECKING:
    from torch import Tensor  # commands name splits and streams before they import it, which takes seconds

    from vidcls.transforms import Augmentation
    from vidcls.video.source import VideoSource

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

StreamKind = Literal["rgb", "flow", "audio"]
"""What a stream shows: the frames of a video, the motion between them, or the sound."""
CHANNELS: dict[StreamKind, int] = {"rgb": 3, "flow": 2, "audio": 1}
LoadedKind = Literal["rgb", "flow", "audio", "frame_pairs"]
"""What is loaded for a stream: what it shows, or for flow that the device estimates the two frames of each field."""

Target: TypeAlias = "int | Tensor"
"""What a sample has for a label: the number of a class, or a tensor ``(K,)``; a task (``vidcls.tasks``) makes it."""

MODEL_ROW = "model"
"""The row of scores that is the answer of the model; others are its parts and their fusions."""

ScoreRule = Literal["probabilities", "logits"]
"""What is averaged over the views of a video: ``probabilities`` after softmax, or ``logits`` before it (TSN, I3D)."""


@dataclass(frozen=True, slots=True)
class VideoRecord:
    """One video of a data set, or a part of one: where it is and what it is called, never its pixels.

    Args:
        source: where the video is, such as ``vidcls.video.LocalFile(path)`` or ``vidcls.video.source_at(address)``.
        label: the class name, or the text that names several classes.
        split: the split of the data set that it belongs to.
        name: the path relative to the data set's root with forward slashes, unique in the data set and never
            leaving it (no ``..``, not absolute). Names the video in the flow store and in result files. That of a part
            ends in its ``fragment``: ``a.mp4#t=1.5,3``.
        group: videos of one group (a person, a session, a source video) must not be spread over splits; None where
            nothing is known.
        extra: further columns of the annotation file, as text.
        several: the classes of a video that has another number of them than one; None where ``label`` is its class.
        part: from when to when of the video it lasts; None for the whole video.
    """

    source: VideoSource
    label: str
    split: Split
    name: str
    group: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    several: tuple[str, ...] | None = None
    part: VideoPart | None = None

    def __post_init__(self) -> None:
        """Refuse a path in place of a source, which would fail where it is read, and a part without its name."""
        if self.part is not None and not self.name.endswith(self.part.fragment):
            raise ValueError(f"the name {self.name!r} of a part must end in {self.part.fragment}")
        if isinstance(self.source, str | PathLike | bytes):
            raise TypeError(
                f"source is {self.source!r}; expected a VideoSource, such as vidcls.video.LocalFile(Path(...))"
            )

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes that the video is labelled with."""
        return (self.label,) if self.several is None else self.several

    @property
    def video_name(self) -> str:
        """The name of the whole video, which all its parts share."""
        return self.name if self.part is None else self.name.removesuffix(self.part.fragment)

    def with_part(self, part: VideoPart | None) -> VideoRecord:
        """The same with another part of the video, or all of it, named accordingly."""
        return replace(self, part=part, name=self.video_name + (part.fragment if part is not None else ""))

    @property
    def path(self) -> Path:
        """The path of a file of this machine; of another video use ``source``, whose name may be an address."""
        return Path(self.source.name)


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a container says about its video stream, upright (rotation applied)."""

    num_frames: int
    fps: float
    height_px: int
    width_px: int
    codec: str


MOST_FRAMES = 100_000
"""Of a clip: more than any network sees, and few enough to be counted; settings may come from a stranger's file."""


@dataclass(frozen=True)
class ClipSettings:
    """Which frames and fields make one training clip.

    Args:
        num_snippets: S, snippets in a sample; 1 unless segments are asked for.
        clip_len: frames in each snippet.
        stride: frames of the file between two frames that are read.
        flow_len: neighbouring flow fields in each snippet, centred on its middle RGB frame.
    """

    num_snippets: int = 1
    clip_len: int = 1
    stride: int = 1
    flow_len: int = 10

    def __post_init__(self) -> None:
        """Refuse what is below one, and what no memory holds."""
        for name in ("num_snippets", "clip_len", "stride", "flow_len"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("num_snippets", "clip_len", "flow_len"):
            if getattr(self, name) > MOST_FRAMES:
                raise ValueError(f"{name} must lie in 1 to {MOST_FRAMES}, got {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class Stream:
    """One input of a model: its name in clips and batches, and the kind that decides all else.

    SlowFast (Feichtenhofer et al., ICCV 2019, alpha = 8) sees the frames of a clip at two rates::

        streams = (Stream("slow", "rgb", every=8), Stream("fast", "rgb"))

    Args:
        name: a Python identifier, unique in a model.
        kind: what it shows.
        every: takes each n-th frame (of flow: field) of a snippet, from its first; 1 for sound.
    """

    name: str
    kind: StreamKind
    every: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be a stream."""
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise ValueError(f"a stream is called {self.name!r}; a name must be a Python identifier, such as slow")
        if self.kind not in CHANNELS:
            raise ValueError(f"the stream {self.name} has the kind {self.kind!r}; allowed are {', '.join(CHANNELS)}")
        if not isinstance(self.every, int) or self.every < 1:
            raise ValueError(f"the stream {self.name} has every {self.every!r}; it must be an integer of at least 1")
        if self.kind == "audio" and self.every != 1:
            raise ValueError(f"the stream {self.name} has every {self.every}, which has no effect on sound: remove it")

    @property
    def channels(self) -> int:
        """C."""
        return CHANNELS[self.kind]

    def length(self, clip: ClipSettings) -> int:
        """T: frames, fields or spectrograms of a whole clip."""
        if self.kind == "audio":
            return clip.num_snippets
        per_snippet = clip.flow_len if self.kind == "flow" else clip.clip_len
        return clip.num_snippets * len(range(0, per_snippet, self.every))

    def plain(self) -> str | dict[str, object]:
        """Plain types for files: ``rgb``, ``flow``, ``audio`` for the streams that are called like their kind."""
        return self.kind if self == Stream(self.kind, self.kind) else asdict(self)


RGB = Stream("rgb", "rgb")
FLOW = Stream("flow", "flow")
AUDIO = Stream("audio", "audio")


def as_streams(streams: Iterable[Stream | StreamKind | Mapping[str, object]]) -> tuple[Stream, ...]:
    """Streams from any spelling: also plain types, and the kind alone for those called like their kind.

    Raises:
        ValueError: a stream that cannot be, or two of one name.
    """
    found = tuple(_as_stream(stream) for stream in streams)
    names = [stream.name for stream in found]
    if len(set(names)) < len(names):
        raise ValueError(f"two of the streams {', '.join(names)} have one name: each must have a name of its own")
    return found


def sees(streams: Iterable[Stream], kind: StreamKind) -> bool:
    """Whether a stream is of this kind."""
    return any(stream.kind == kind for stream in streams)


def _as_stream(stream: object) -> Stream:
    if isinstance(stream, Stream):
        return stream
    if isinstance(stream, str):
        return Stream(stream, stream)  # type: ignore[arg-type]  # which refuses what is no kind
    if isinstance(stream, Mapping) and {"name", "kind"} <= set(stream) <= {"name", "kind", "every"}:
        return Stream(**stream)
    raise ValueError(f"a stream is given as {stream!r}; it must be rgb, flow, audio, or a name and a kind (and every)")


class Sample(TypedDict, total=False):
    """One video as the loader sees it.

    ``streams`` are ``(C, T, H, W)`` by name while training, ``(V, C, T, H, W)`` in a test: RGB uint8 and flow float32
    in pixels until the batch is normalised on the device, sound float32; of flow that is estimated there the two frames
    of each field, ``(3, 2F, H, W)`` uint8. ``augmentation`` says what is still to be done to a training clip there.
    """

    streams: dict[str, Tensor]
    label: Target
    index: int
    augmentation: Augmentation


class Batch(TypedDict, total=False):
    """What a model is fed: ``streams`` by name with a leading B, targets as ``label``, and ``index`` ``(B,)``.

    ``index`` is the position in the list of videos of that split; ``skipped`` names files that were left out;
    ``unread`` has number, target (None where it is not to be counted) and reason of test videos that could not be read;
    ``target`` ``(B, K)`` float32 says how much of which class is in each clip, where clips were mixed. ``augmentation``
    and ``mixing_seed`` are what is still to be done to training clips on the device: plain values, since the processor
    would wait for a GPU to hand them back.
    """

    streams: dict[str, Tensor]
    label: Tensor
    index: Tensor
    skipped: list[str]
    unread: list[tuple[int, Target | None, str]]
    target: Tensor
    augmentation: list[Augmentation]
    mixing_seed: int


@runtime_checkable
class DescribesInput(Protocol):
    """Data that can say, in plain types, how a file becomes the tensors that a model was trained on."""

    def describe_input(self) -> dict[str, object]:
        """The settings that a checkpoint keeps."""

    def class_counts(self) -> list[int]:
        """Training videos by class, in the order of the class names."""


@runtime_checkable
class BringsTrainBatches(Protocol):
    """A model that need not see clips of the training videos."""

    def train_batches(self) -> Iterable[Batch] | None:
        """The batches of an epoch in place of the loader's; None where it trains on clips."""


@runtime_checkable
class ListsVideos(Protocol):
    """Data that can say which video has which number in a batch's ``index``."""

    def split(self, name: Split) -> list[VideoRecord]:
        """The videos of one split, in the order of their numbers."""

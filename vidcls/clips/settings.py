"""How a video file becomes the tensors that a model sees: the facts that a checkpoint keeps and prediction repeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from typing import Literal, get_args

from vidcls.clips.log_mel import NUM_BANDS, num_columns
from vidcls.flow.settings import FlowSettings
from vidcls.plain_settings import settings_from
from vidcls.transforms.settings import TransformSettings
from vidcls.types import ClipSettings, LoadedKind, ScoreRule, Stream, as_streams, sees
from vidcls.video.reader import Backend
from vidcls.video.sampling import ShortPolicy, stride_frames

FlowOn = Literal["worker", "device"]
DEFAULT_SOUND_SECONDS = 0.96  # of VGGish
MIN_SOUND_SECONDS, MAX_SOUND_SECONDS = 0.1, 60.0
MOST_CLIPS = 10_000
"""Of a video that is tested: settings may come from a stranger's file."""


@dataclass(frozen=True)
class InputSettings:
    """From a file to a clip, for every stream; see :class:`VideoDataModule` for what each entry means.

    ``streams`` takes ``"rgb"``, ``"flow"`` and ``"audio"`` for the streams that are called like their kind, too.
    """

    streams: tuple[Stream, ...]
    clip: ClipSettings = field(default_factory=ClipSettings)
    stride_seconds: float | None = None
    short_videos: ShortPolicy = "loop"
    transform: TransformSettings = field(default_factory=TransformSettings)
    test_clips: int = 1
    flow_settings: FlowSettings | None = None
    decoder: Backend | None = None
    flow_on: FlowOn = "worker"
    score: ScoreRule = "probabilities"
    audio_seconds: float | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be a clip."""
        object.__setattr__(self, "streams", as_streams(self.streams))
        if self.score not in get_args(ScoreRule):
            raise ValueError(f"score is {self.score!r}; allowed are {', '.join(get_args(ScoreRule))}")
        if self.test_clips < 1:
            raise ValueError(f"test_clips must be at least 1, got {self.test_clips}")
        if self.test_clips > MOST_CLIPS:
            raise ValueError(f"test_clips must lie in 1 to {MOST_CLIPS}, got {self.test_clips}")
        if self.stride_seconds is not None and not self.stride_seconds > 0:
            raise ValueError(f"stride_seconds must be above 0, got {self.stride_seconds:g}")
        if sees(self.streams, "flow") and self.flow_settings is None:
            raise ValueError("a flow stream needs flow_settings")
        self._check_sound()

    def _check_sound(self) -> None:
        if not sees(self.streams, "audio"):
            if self.audio_seconds is not None:
                raise ValueError(
                    f"audio_seconds is {self.audio_seconds:g}, but the model hears nothing: choose one with an audio "
                    "stream, or remove it"
                )
            return
        if all(stream.kind == "audio" for stream in self.streams):
            raise ValueError("an audio stream needs a stream of frames or flow beside it: add rgb or flow")
        if not MIN_SOUND_SECONDS <= self.sound_seconds <= MAX_SOUND_SECONDS:
            raise ValueError(
                f"audio_seconds must lie in {MIN_SOUND_SECONDS:g} to {MAX_SOUND_SECONDS:g}, got {self.sound_seconds:g}"
            )
        if self.transform.changes_time:
            raise ValueError(
                "transform.reverse_probability and transform.speed_range change the time of frames, but not of their "
                "sound: remove them, or choose a model without an audio stream"
            )

    @property
    def sound_seconds(self) -> float:
        """Seconds of sound of each snippet."""
        return DEFAULT_SOUND_SECONDS if self.audio_seconds is None else self.audio_seconds

    def view_shape(self, stream: Stream) -> tuple[int, int, int, int]:
        """(C, T, H, W) of a view of one of its streams."""
        size = (NUM_BANDS, num_columns(self.sound_seconds)) if stream.kind == "audio" else self.transform.crop_size
        return (stream.channels, stream.length(self.clip), *size)

    @property
    def loaded_kinds(self) -> dict[str, LoadedKind]:
        """By stream what is loaded for it; the device estimates flow between pairs of frames."""
        is_late = self.flow_on == "device"
        return {s.name: "frame_pairs" if s.kind == "flow" and is_late else s.kind for s in self.streams}

    @property
    def num_views(self) -> int:
        """V: clips x crops of a test video."""
        return self.test_clips * self.transform.test_crops

    def span_frames(self, fps: float) -> int:
        """Frames of a video of this rate, from the first to the last, that a clip spans.

        Each snippet needs its own, flow one frame more than fields. Where the stride is in seconds and the rate is
        unknown (0), frames count as neighbours.
        """
        stride: Fraction | int = 1
        if self.stride_seconds is None or fps > 0:
            stride = stride_frames(self.clip.stride, self.stride_seconds, fps)
        spans = [1]
        if sees(self.streams, "rgb"):
            spans.append(int((self.clip.clip_len - 1) * stride) + 1)
        if sees(self.streams, "flow"):
            spans.append(self.clip.flow_len + 1)
        return max(spans)

    def span_text(self, span: str) -> str:
        """What a clip takes of a video, in words, where it or each of its snippets spans so many frames."""
        num = self.clip.num_snippets
        if num == 1:
            return f"a clip spans {span}"
        return f"a clip is {num} snippets of {span} frame{'' if span == '1' else 's'}, spread over the whole video"

    def single_view(self) -> InputSettings:
        """The same with one centred clip a video, as validation uses it."""
        return replace(self, test_clips=1, transform=replace(self.transform, test_crops=1))

    def to_dict(self) -> dict[str, object]:
        """Plain types, named like the arguments of the data module."""
        plain = asdict(self)
        plain |= plain.pop("clip")
        plain["streams"] = [stream.plain() for stream in self.streams]
        plain["transform"] = {k: list(v) if isinstance(v, tuple) else v for k, v in plain["transform"].items()}
        plain["flow_settings"] = self.flow_settings.to_dict() if self.flow_settings else None
        if not sees(self.streams, "audio"):  # files and keys of models that hear nothing stay what they were
            del plain["audio_seconds"]
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, object]) -> InputSettings:
        """The inverse of :meth:`to_dict`.

        Raises:
            KeyError: the streams or the clip are missing.
            TypeError, ValueError: an entry is unknown, of another type or outside its range.
        """
        rest = dict(plain)
        rest["streams"] = [asdict(stream) for stream in as_streams(_listed(rest["streams"]))]
        rest["clip"] = {name: rest.pop(name) for name in ("num_snippets", "clip_len", "stride", "flow_len")}
        return settings_from(cls, rest)


def _listed(streams: object) -> Sequence[Mapping[str, object]]:
    if not isinstance(streams, list | tuple):
        raise TypeError(f"streams are given as {streams!r}; they must be a list")
    return streams

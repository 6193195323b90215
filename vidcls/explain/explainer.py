"""A checkpoint and a video -> where and when the network looked for a class, in the frames of the video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from os import PathLike

from torch import Tensor
from torchvision.transforms.v2 import functional as F

from vidcls.clips.indices import ClipIndices
from vidcls.clips.reader import ClipReader
from vidcls.clips.views import stack_views
from vidcls.errors import ConfigurationError, listed
from vidcls.explain.heat import LAYER_METHODS, METHODS, Method, find_layer, heat_maps
from vidcls.explain.over_time import TimeEffects, time_effects
from vidcls.inference.network_input import NetworkInput, with_flow
from vidcls.predict.one_video import record_of
from vidcls.predict.prediction import Prediction
from vidcls.predict.predictor import Device, Predictor
from vidcls.spelling import did_you_mean
from vidcls.transforms import Box, ClipPixels, centre_box, evaluation_transform
from vidcls.types import Stream, VideoRecord, sees
from vidcls.video import Video
from vidcls.video.in_order import shared
from vidcls.video.reader import Backend
from vidcls.video.source import AnyVideo, VideoSource, path_or_name
from vidcls.video.timing import seconds_of
from vidcls.video_part import VideoPart


@dataclass(frozen=True)
class ClipHeat:
    """The heat of one clip of a video.

    Args:
        frames: the frames of the video that the clip is made of, by stream; of flow the frame that a field starts from.
        pixels: RGB ``(T, 3, H, W)`` uint8 and flow ``(F, 2, H, W)`` in pixels as the network sees them, by stream.
        heats: ``(T, H, W)`` or ``(F, H, W)`` by title, 0 or more.
        streams: the stream that each title belongs to.
        shown: the name of the stream whose frames stand for the clip; None where all streams are flow.
    """

    frames: Mapping[str, tuple[int, ...]]
    pixels: ClipPixels
    heats: Mapping[str, Tensor]
    streams: Mapping[str, Stream]
    shown: str | None


@dataclass(frozen=True)
class Explanation:
    """Why a video was given a class, clip by clip.

    Args:
        video: where it is.
        method: how the heat was found.
        class_name: the class that the heat speaks for.
        prediction: the scores of the whole video, as a prediction gives them.
        clips: the heat, in order of time.
        box: what the network sees of a frame.
        num_frames: of the video.
        fps: frames per second; 0 where the file states none.
        decoder: the one decoder that the video is read by; None tries all.
        num_snippets: snippets of a clip, between which the network saw nothing.
        beside: the frames ``(F, 3, H, W)`` uint8 that the fields of the middle clip start from, by stream of flow, as
            the network would see them.
    """

    video: VideoSource
    method: Method
    class_name: str
    prediction: Prediction
    clips: tuple[ClipHeat, ...]
    box: Box
    num_frames: int
    fps: float
    decoder: Backend | None = None
    num_snippets: int = 1
    beside: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def middle(self) -> ClipHeat:
        """The clip in the middle of the video, which stands for it where one is shown."""
        return self.clips[len(self.clips) // 2]

    @property
    def titles(self) -> tuple[str, ...]:
        """What heat there is, such as ``spatial`` and ``temporal``."""
        return tuple(self.clips[0].heats)

    @property
    def score(self) -> float:
        """The probability of the class that is explained."""
        return dict(zip(self.prediction.class_names, self.prediction.scores, strict=True))[self.class_name]


class Explainer:
    """Heat maps of any model of ours on any video, on the clips of its own test.

    Of several crops of a clip the one of the centre is explained. ::

        explain = Explainer("best")
        explanation = explain("new.mp4", class_name="wave")

    Args:
        path: ``best``, ``last``, ``runs/NAME``, the folder of a run or a checkpoint file; see
            :mod:`vidcls.runs.trained_model`.
        device: where the network runs; ``auto`` takes a CUDA GPU where there is one.

    Raises:
        VidclsError: as :class:`vidcls.predict.Predictor`.
    """

    def __init__(self, path: str | PathLike[str], *, device: Device = "auto") -> None:
        self.predictor = Predictor(path, device=device)
        self.model = self.predictor.model
        if sees(self.model.streams, "audio"):
            raise ConfigurationError(
                f"{path}: {type(self.model).__name__} also hears, and there are no heat maps, kernels and features of "
                "sound: explain a model of frames and flow alone"
            )
        self._reader = ClipReader(self.predictor.input_settings)
        self._network_input = NetworkInput(self.predictor.input_settings, device=self.predictor.device)

    def __call__(
        self,
        video: AnyVideo | Video,
        *,
        method: Method = "gradcam",
        class_name: str | None = None,
        layer: str | None = None,
        part: VideoPart | None = None,
    ) -> Explanation:
        """Explain one class of one video.

        Args:
            video: as for :class:`vidcls.predict.Predictor`, or what :meth:`open` gives.
            method: see :func:`heat_maps`.
            class_name: the class; the most probable one where None.
            layer: for ``gradcam`` and ``cam``: one of the model's own layers by its title, or a module of the model by
                its name; all of its own where None.
            part: from when to when of the video; None for all of it.

        Raises:
            ConfigurationError: the class, the layer or the method does not fit the model.
            DecodeError, DatasetError: as in predicting.
        """
        if method not in METHODS:
            raise ConfigurationError(f"method {method!r}: allowed are {', '.join(METHODS)}")
        if layer is not None and method not in LAYER_METHODS:
            raise ConfigurationError(
                f"--layer {layer}: {method} is made at the input; leave the layer out, or use gradcam"
            )
        layers = self.model.cam_layers if layer is None else (find_layer(self.model, layer),)
        if method in LAYER_METHODS and not layers:
            raise ConfigurationError(
                f"{type(self.model).__name__} has no backbone of vidcls whose layers {method} could show: name one of "
                "its modules with --layer NAME, or use --method saliency"
            )
        if class_name is not None:
            self._target(class_name)
        record = record_of(video, part)
        with self._opened(video, record) as opened:
            indices = self._reader.test_indices(opened, record)
            pixels_of = self._reader.pixels(opened, record, indices)
            beside = self._beside(opened, indices, pixels_of)
            info = opened.info
            start_seconds, end_seconds = seconds_of(opened, part)
        prediction = self.predictor.prediction_of(
            path_or_name(record.source), pixels_of, start_seconds=start_seconds, end_seconds=end_seconds
        )
        class_name = prediction.top(1)[0][0] if class_name is None else class_name
        target = self._target(class_name)
        stream_of = {stream.name: stream for stream in self.model.streams}
        frames_first = sorted(self.model.streams, key=lambda stream: stream.every)
        shown = next((stream.name for stream in frames_first if stream.kind == "rgb"), None)
        if method in LAYER_METHODS:
            stream_of = {one.title: stream_of[one.stream] for one in layers}
        clips: list[ClipHeat] = []
        for frames, pixels in self._clips(indices, pixels_of):
            heats = heat_maps(self.model, self._streams(pixels), target, method=method, layers=layers)
            on_cpu = {title: heat.float().cpu() for title, heat in heats.items()}
            clips.append(ClipHeat(frames, pixels, on_cpu, stream_of, shown))
        box = centre_box((info.height_px, info.width_px), self.predictor.input_settings.transform)
        decoder = self.predictor.input_settings.decoder
        return Explanation(
            record.source,
            method,
            class_name,
            prediction,
            tuple(clips),
            box,
            info.num_frames,
            info.fps,
            decoder,
            self.model.clip.num_snippets,
            beside,
        )

    def over_time(
        self,
        video: AnyVideo | Video,
        *,
        class_name: str | None = None,
        num_parts: int | None = None,
        part: VideoPart | None = None,
    ) -> tuple[str, TimeEffects]:
        """The class, and what hiding parts of the middle clip, shuffling and reversing it does to its probability.

        Raises:
            ConfigurationError: the model knows no such class.
            DecodeError, DatasetError: as in predicting.
        """
        if class_name is not None:
            self._target(class_name)
        record = record_of(video, part)
        with self._opened(video, record) as opened:
            indices = self._reader.test_indices(opened, record)
            pixels = self._reader.pixels(opened, record, indices)
        clips = self._clips(indices, pixels)
        if class_name is None:
            class_name = self.predictor.prediction_of(path_or_name(record.source), pixels).top(1)[0][0]
        streams = self._streams(clips[len(clips) // 2][1])
        return class_name, time_effects(self.model, streams, self._target(class_name), num_parts=num_parts)

    def open(self, video: AnyVideo) -> AbstractContextManager[Video | VideoSource]:
        """A video to be passed on, several times, in place of its source; see :meth:`vidcls.predict.Predictor.open`."""
        return self.predictor.open(video)

    def _opened(self, video: AnyVideo | Video, record: VideoRecord) -> AbstractContextManager[Video]:
        return shared(video if isinstance(video, Video) else record.source, lambda _: self._reader.open(record))

    def _target(self, class_name: str) -> int:
        names = self.predictor.class_names
        if class_name not in names:
            hint = did_you_mean(class_name, names)
            raise ConfigurationError(
                f"class {class_name!r}: the model does not know it; {hint}{' ' if hint else ''}it knows {listed(names)}"
            )
        return names.index(class_name)

    def _clips(
        self, indices_of: Sequence[ClipIndices], pixels_of: Sequence[ClipPixels]
    ) -> list[tuple[dict[str, tuple[int, ...]], ClipPixels]]:
        """The frames of each clip by stream, and its centre crop, in order of time."""
        settings = self.predictor.input_settings
        centre = replace(settings.transform, test_crops=1)
        found: list[tuple[dict[str, tuple[int, ...]], ClipPixels]] = []
        for indices, pixels in zip(indices_of, pixels_of, strict=True):
            frames = {stream.name: _without_gaps(indices[stream.name]) for stream in self.model.streams}
            found.append((frames, self._with_flow(evaluation_transform(pixels, settings.loaded_kinds, centre)[0])))
        return [found[k] for k in self._in_time(indices_of)]

    def _in_time(self, indices_of: Sequence[ClipIndices]) -> list[int]:
        """The numbers of the clips in order of time."""
        first = self.model.streams[0].name
        return sorted(range(len(indices_of)), key=lambda k: _without_gaps(indices_of[k][first])[0])

    def _beside(
        self, video: Video, indices_of: Sequence[ClipIndices], pixels_of: Sequence[ClipPixels]
    ) -> dict[str, Tensor]:
        """The frames ``(F, 3, H, W)`` that the fields of the middle clip start from, by stream, in its centre crop."""
        settings = self.predictor.input_settings
        middle = self._in_time(indices_of)[len(indices_of) // 2]
        centre = replace(settings.transform, test_crops=1)
        found: dict[str, Tensor] = {}
        for stream in self.model.streams:
            if stream.kind != "flow":
                continue
            frames = video.frames(_without_gaps(indices_of[middle][stream.name]))  # (F, 3, H, W)
            if all(kind == "flow" for kind in settings.loaded_kinds.values()):  # then flow has a size of its own
                frames = F.resize(frames, list(pixels_of[middle][stream.name].shape[-2:]), antialias=True)
            found[stream.name] = evaluation_transform({"beside": frames}, {"beside": "rgb"}, centre)[0]["beside"]
        return found

    def _with_flow(self, pixels: ClipPixels) -> ClipPixels:
        """The clip with the flow that was left to the device."""
        if self.predictor.input_settings.flow_on != "device":
            return pixels
        on_device = {name: stream.to(self.predictor.device).transpose(0, 1) for name, stream in pixels.items()}
        streams = with_flow(on_device, self.predictor.input_settings)  # (C, T, H, W) each
        return {name: stream.transpose(0, 1).cpu() for name, stream in streams.items()}

    def _streams(self, pixels: ClipPixels) -> list[Tensor]:
        """Normalised, ``(1, C, T, H, W)`` each, on the device of the model."""
        loaded = {name: stream.to(self.predictor.device) for name, stream in stack_views([pixels]).items()}
        return self.model.scorer.fed(self._network_input.normalised(loaded))


def _without_gaps(fields: list[int | None]) -> tuple[int, ...]:
    """Frames as they are; fields that stand for no motion take the number of their nearest neighbour."""
    known = [k for k, field in enumerate(fields) if field is not None]
    if not known:
        return tuple(0 for _ in fields)
    return tuple(fields[min(known, key=lambda other: abs(other - k))] or 0 for k in range(len(fields)))

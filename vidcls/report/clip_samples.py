"""Videos of a data set -> the clips that a network is fed with, as rows of frames and as numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidcls.clips.log_mel import SILENCE
from vidcls.clips.reader import ClipReader
from vidcls.errors import VidclsError
from vidcls.flow.pictures import direction_picture
from vidcls.inference.network_input import with_flow
from vidcls.loading import VideoDataModule
from vidcls.loading.clip_dataset import ClipKey, OrderedVideos, TrainClips
from vidcls.report.choice import evenly
from vidcls.report.thumbnails import small, webp
from vidcls.types import StreamKind, VideoRecord

NUM_DRAWS = 2
NUM_IN_STRIP = 8
LEAST_BOUND_PX = 0.5
LOUD = 3.0  # of log-mel: a tone of half the full scale


@dataclass(frozen=True)
class ClipSample:
    """One clip of one video, after cropping and mirroring and before normalisation.

    Args:
        path: the name of the video.
        label: its class.
        title: ``training, draw 1`` or ``test``.
        strips: a row of frames by stream, as data addresses.
        shapes: channels, frames, height and width by stream.
        arrays: the same numbers by stream, RGB as uint8, flow in pixels per frame.
        kinds: what each stream shows.
        bound_px: pixels per frame that have full colour in the rows of flow.
        error: why there is none.
    """

    path: str
    label: str
    title: str
    strips: dict[str, str]
    shapes: dict[str, tuple[int, ...]]
    arrays: dict[str, NDArray[np.generic]]
    kinds: Mapping[str, StreamKind]
    bound_px: float
    error: str = ""


def clip_samples(data: VideoDataModule, index: int, *, num_draws: int = NUM_DRAWS) -> list[ClipSample]:
    """A training video by its number, with random draws as training has them and the first view of a test.

    The draws are those of the first epochs of a training with the data module's seed.
    """
    records = data.split("train")
    train = TrainClips(records, data.task, ClipReader(data.input_settings, data.flow_source))
    test_reader = ClipReader(data.input_settings.single_view(), data.flow_source)
    test = OrderedVideos(records, data.task, test_reader, views=False)
    clips: list[tuple[str, dict[str, Tensor] | str]] = [
        (f"training, draw {draw + 1}", _streams(train, ClipKey(data.seed, draw, index))) for draw in range(num_draws)
    ]
    clips.append(("test", _streams(test, index)))
    kinds = {stream.name: stream.kind for stream in data.input_settings.streams}
    read = [streams for _, streams in clips if not isinstance(streams, str)]
    bound = _bound_px([streams[name] for streams in read for name, kind in kinds.items() if kind == "flow"])
    return [_sample(records[index], title, streams, kinds, bound) for title, streams in clips]


def _streams(clips: TrainClips | OrderedVideos, key: ClipKey | int) -> dict[str, Tensor] | str:
    """The streams of one sample, or why there are none."""
    try:
        sample = clips[key]  # type: ignore[index]
    except VidclsError as error:
        return str(error)
    return with_flow(sample["streams"], clips.reader.settings)  # type: ignore[typeddict-item]


def _bound_px(flows: Sequence[Tensor]) -> float:
    """The length of the longest vectors of some clips, but for the 1 % longest."""
    lengths = [flow.norm(dim=0).flatten() for flow in flows]
    return max(LEAST_BOUND_PX, float(np.quantile(torch.cat(lengths).numpy(), 0.99))) if lengths else LEAST_BOUND_PX


def _sample(
    record: VideoRecord,
    title: str,
    streams: dict[str, Tensor] | str,
    kinds: Mapping[str, StreamKind],
    bound_px: float,
) -> ClipSample:
    if isinstance(streams, str):
        return ClipSample(record.name, record.label, title, {}, {}, {}, kinds, bound_px, streams)
    return ClipSample(
        record.name,
        record.label,
        title,
        {name: webp(strip(clip, kinds[name], bound_px=bound_px)[None]) for name, clip in streams.items()},
        {name: tuple(clip.shape) for name, clip in streams.items()},
        {name: clip.numpy() for name, clip in streams.items()},
        kinds,
        bound_px,
    )


def strip(clip: Tensor, kind: StreamKind, *, bound_px: float) -> Tensor:
    """At most eight frames, fields or sounds of a clip ``(C, T, H, W)`` side by side, ``(3, h, w)`` uint8.

    Args:
        clip: RGB uint8, flow in pixels per frame, or log-mel spectrograms, whose low bands are shown at the bottom.
        kind: which of them.
        bound_px: flow of this length has full colour.
    """
    chosen = clip[:, evenly(clip.shape[1], NUM_IN_STRIP)].transpose(0, 1)  # (T, C, H, W)
    if kind == "flow":
        chosen = torch.stack([direction_picture(field, bound_px=bound_px) for field in chosen])
    if kind == "audio":
        loud = (chosen.nan_to_num(nan=SILENCE).flip(-2) - SILENCE) / (LOUD - SILENCE)
        chosen = (255 * loud.clamp(0, 1)).to(torch.uint8).expand(-1, 3, -1, -1)
    pictures = small(chosen)
    line = torch.full((3, pictures.shape[-2], 2), 255, dtype=torch.uint8)
    parts = [part for picture in pictures for part in (picture, line)][:-1]
    return torch.cat(parts, dim=2)


def sample_arrays(samples: Sequence[Sequence[ClipSample]]) -> dict[str, NDArray[np.generic]]:
    """All clips by name: ``<stream>_<video>_<draw>``, with ``paths`` and ``titles``."""
    arrays: dict[str, NDArray[np.generic]] = {
        "paths": np.array([row[0].path for row in samples]),
        "titles": np.array([sample.title for sample in samples[0]] if samples else []),
    }
    for number, row in enumerate(samples):
        for draw, sample in enumerate(row):
            arrays |= {f"{stream}_{number}_{draw}": clip for stream, clip in sample.arrays.items()}
    return arrays

"""A run, named videos, or nothing but a graph -> the views that an exported file is checked or calibrated on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from vidcls.clips.reader import ClipReader
from vidcls.clips.views import stack_views, views_of
from vidcls.errors import DatasetError, DecodeError, FlowError
from vidcls.inference.network_input import with_flow
from vidcls.loading.from_config import data_module_of
from vidcls.runs.folder import CONFIG_FILE
from vidcls.settings_file import read_settings, section
from vidcls.types import Split, VideoRecord
from vidcls.video.source import AnyVideo, source_of

if TYPE_CHECKING:
    from torch import Tensor

    from vidcls.clips.settings import InputSettings
    from vidcls.export.graph import ScoringGraph
    from vidcls.flow import FlowSource
    from vidcls.models import VideoClassifier
    from vidcls.types import Target

NUM_RANDOM = 8  # clips of noise, where there is nothing else


@dataclass(frozen=True)
class CheckedVideo:
    """One video as a graph takes it.

    Args:
        name: for messages.
        views: ``(V, C, T, H, W)`` by stream, as loaded, with flow.
        target: what it is labelled with; None where nothing is known.
    """

    name: str
    views: dict[str, Tensor]
    target: Target | None = None


@dataclass
class Videos:
    """Videos that are read one after the other, each time that they are asked for.

    Args:
        what: in words, such as ``test videos``.
        records: which of them.
        num_all: of how many.
        settings: how a video becomes views.
        flow_source: where stored flow lies; None computes it.
        model: whose classes the labels are; None where there are no labels.
        skips_unreadable: whether a video that cannot be read is left out, and named in ``unread``, or an error.
    """

    what: str
    records: Sequence[VideoRecord]
    num_all: int
    settings: InputSettings
    flow_source: FlowSource | None = None
    model: VideoClassifier | None = None
    skips_unreadable: bool = False
    unread: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[CheckedVideo]:
        """The videos; DecodeError where one cannot be read, unless these are left out."""
        reader = ClipReader(self.settings, self.flow_source)
        self.unread.clear()
        for record in self.records:
            try:
                clips = reader.test_clips(record)
            except (DecodeError, DatasetError, FlowError):
                if not self.skips_unreadable:
                    raise
                self.unread.append(record.name)
                continue
            views = with_flow(stack_views(views_of(clips, self.settings)), self.settings)
            target = None if self.model is None else self.model.task.target(record.classes)
            yield CheckedVideo(record.name, views, target)


@dataclass(frozen=True)
class RandomClips:
    """Clips of noise: that they are answered alike shows that the graph is right, and nothing of accuracy."""

    graph: ScoringGraph
    what: str = "random clips"
    num_all: int = NUM_RANDOM
    unread: Sequence[str] = ()

    def __iter__(self) -> Iterator[CheckedVideo]:
        """One view each."""
        for seed in range(self.num_all):
            streams = self.graph.example(num_views=1, seed=seed)
            yield CheckedVideo(f"random clip {seed}", dict(zip(self.graph.stream_names, streams, strict=True)))


def videos_of_run(run: Path, split: Split, model: VideoClassifier, settings: InputSettings, *, most: int) -> Videos:
    """Videos of a split of the run's own data, spread evenly over its list where there are more than ``most``.

    Raises:
        VidclsError: the data of the run is not where it was.
    """
    config = run / CONFIG_FILE
    data = data_module_of(
        section(read_settings(config), "data", config),
        streams=[stream.plain() for stream in model.streams],
        class_names=list(model.class_names),
        task=model.task.name,
        num_workers=0,
        prepare="never",
    )
    records = data.split(split)
    return Videos(
        what=f"{split} videos",
        records=evenly(records, most),
        num_all=len(records),
        settings=settings,
        flow_source=data.flow_source,
        model=model,
        skips_unreadable=True,
    )


def named_videos(videos: Sequence[AnyVideo], settings: InputSettings) -> Videos:
    """Videos that the user names, without labels."""
    records = [
        VideoRecord(source=source, label="", split="test", name=source.name)
        for source in (source_of(video) for video in videos)
    ]
    return Videos(what="videos", records=records, num_all=len(records), settings=settings)


def evenly(records: Sequence[VideoRecord], most: int) -> Sequence[VideoRecord]:
    """At most so many of them, spread over the list."""
    num = min(most, len(records))
    return [records[k * len(records) // num] for k in range(num)]

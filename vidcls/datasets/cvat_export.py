"""A CVAT XML file (``CVAT for video 1.1`` or ``for images 1.1``) -> labelled parts of videos, in frames of the file.

CVAT numbers the frames that a decoder gives, from 0. A tag belongs to one frame, and a track is there from its first
shape to the first that is ``outside``, or to its last; a task that left out frames has the filter ``step=N``::

    <track label="pour"> <box frame="10" outside="0" .../> ... <box frame="20" outside="1" .../>   frames 10 to 19
    <image name="frame_000010"> <tag label="pour"/>   and frames 11 to 19 likewise                 frames 10 to 19
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vidcls.datasets.annotated import LabelledPart
from vidcls.errors import DatasetError
from vidcls.video_part import VideoPart
from vidcls.xml_file import Tags, XmlLimitError, read_xml

SHAPES = frozenset(("box", "polygon", "polyline", "points", "cuboid", "ellipse", "mask", "skeleton"))
_FRAME = re.compile(r"frame_(\d+)(?:\.\w+)?$")
_STEP = re.compile(r"step\s*=\s*(\d+)")


@dataclass
class _Task:
    """A video of the export: its name, the step between its frames, and the frame after its last, where it is known."""

    video: str = ""
    step: int = 1
    stop: int | None = None


@dataclass
class _Track:
    """One object: its class and the frames at which it is seen or gone."""

    task: str
    label: str
    number: int
    shapes: dict[int, bool] = field(default_factory=dict)  # frame -> whether it is outside


@dataclass
class CvatFile:
    """What one file says.

    Args:
        path: the file.
        name: what messages call it.

    Raises:
        DatasetError: it is not a CVAT file of videos.
    """

    path: Path
    name: str
    tasks: dict[str, _Task] = field(default_factory=dict)
    tracks: list[_Track] = field(default_factory=list)
    tags: dict[tuple[str, str], set[int]] = field(default_factory=dict)  # task and label -> frames
    _open: _Task = field(default_factory=_Task)
    _id: str = ""
    _image: tuple[str, int] = ("", 0)
    _root: str = ""

    def __post_init__(self) -> None:
        """Read all of it."""
        try:
            read_xml(self.path, start=self._start, end=self._end)
        except (OSError, XmlLimitError) as error:
            raise DatasetError(f"{self.name}: cannot be read: {error}; export it again") from error
        if self._root != "annotations":
            raise DatasetError(f"{self.name}: begins with <{self._root}>: expected <annotations>, as CVAT exports XML")
        if self._open.video:  # <meta><source> of older versions
            self._keep("")

    def parts(self) -> Iterator[LabelledPart]:
        """The parts that tracks and tags label.

        Raises:
            DatasetError: the video is not named, or a part cannot be.
        """
        for track in self.tracks:
            task = self._task(track.task)
            for first, stop in _seen(track.shapes, task.step):
                yield self._part(task, track.label, first, stop, ("track", track.number))
        for (task_id, label), frames in self.tags.items():
            task = self._task(task_id)
            for first, stop in _runs(sorted(frames), task.step):
                yield self._part(task, label, first, stop, ("frame", first))

    def _part(self, task: _Task, label: str, first: int, stop: int, item: tuple[str, int]) -> LabelledPart:
        (what, number), stop = item, stop if task.stop is None else min(stop, task.stop)
        try:
            part = VideoPart(first, stop, "frames")
        except ValueError as error:
            raise DatasetError(f"{self.name} {what}:{number}: {error}") from error
        return LabelledPart(task.video, (label,), part, f"{self.name} {what}", number)

    def _task(self, task_id: str) -> _Task:
        task = self.tasks.get(task_id) or (next(iter(self.tasks.values())) if len(self.tasks) == 1 else None)
        if task is None or not task.video:
            raise DatasetError(
                f"{self.name}: does not name the video of {'task ' + task_id if task_id else 'its task'} (<source>): "
                "export a task of a video as CVAT for video 1.1"
            )
        return task

    def _keep(self, task_id: str) -> None:
        self.tasks[task_id], self._open, self._id = self._open, _Task(), ""

    def _start(self, tags: Tags, attributes: Mapping[str, str]) -> None:
        self._root = tags[0]
        name = tags[-1]
        if name == "track" and len(tags) == 2:
            label = self._needed(attributes, "label", name)
            self.tracks.append(_Track(attributes.get("task_id", ""), label, len(self.tracks) + 1))
        elif name in SHAPES and tags[1:-1] == ("track",):
            frame = self._number(self._needed(attributes, "frame", name))
            self.tracks[-1].shapes[frame] = attributes.get("outside", "0") not in ("0", "False")
        elif name == "image" and len(tags) == 2:
            match = _FRAME.search(attributes.get("name", ""))
            frame = self._number(match[1] if match else self._needed(attributes, "id", name))
            self._image = attributes.get("task_id", ""), frame
        elif name == "tag" and len(tags) in (2, 3):
            task_id, frame = self._image
            if len(tags) == 2:
                task_id, frame = attributes.get("task_id", ""), self._number(self._needed(attributes, "frame", name))
            self.tags.setdefault((task_id, self._needed(attributes, "label", name)), set()).add(frame)

    def _end(self, tags: Tags, text: str) -> None:
        if tags[1:2] != ("meta",):
            return
        inner = tags[2:]
        if inner == ("source",):
            if self._open.video or not self.tasks:
                self._open.video = text
            elif len(self.tasks) == 1:
                next(iter(self.tasks.values())).video = text
        elif inner in (("task",), ("job",), ("project", "tasks", "task")):
            self._keep(self._id)
        elif inner[:-1] in (("task",), ("job",), ("project", "tasks", "task")):
            if inner[-1] == "id":
                self._id = text
            elif inner[-1] == "source":
                self._open.video = text
            elif inner[-1] == "frame_filter" and (match := _STEP.search(text)):
                self._open.step = max(1, int(match[1]))
            elif inner[-1] == "stop_frame" and text.isdecimal():
                self._open.stop = int(text) + 1

    def _needed(self, attributes: Mapping[str, str], name: str, tag: str) -> str:
        if not attributes.get(name):
            raise DatasetError(f"{self.name}: a <{tag}> has no {name}: export it again")
        return attributes[name]

    def _number(self, text: str) -> int:
        if not text.isdecimal() or len(text) > 9:
            raise DatasetError(f"{self.name}: the frame {text[:20]!r} is not a number from 0: export it again")
        return int(text)


def _seen(shapes: Mapping[int, bool], step: int) -> Iterator[tuple[int, int]]:
    """The frames ``[first, stop)`` between which a track is seen."""
    first = last = None
    for frame in sorted(shapes):
        if not shapes[frame]:
            first, last = frame if first is None else first, frame
        elif first is not None:
            yield first, frame
            first = None
    if first is not None and last is not None:
        yield first, last + step


def _runs(frames: list[int], step: int) -> Iterator[tuple[int, int]]:
    """Sorted frames -> the ranges ``[first, stop)`` that follow each other without a gap."""
    first = 0
    for k, frame in enumerate(frames):
        if k + 1 == len(frames) or frames[k + 1] > frame + step:
            yield frames[first], frame + step
            first = k + 1

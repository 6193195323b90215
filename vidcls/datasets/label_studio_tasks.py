"""The tasks of a Label Studio export -> labelled parts of videos; frames become seconds by the rate that the tool used.

Label Studio asks a browser when a frame is shown and multiplies by the ``frameRate`` of its ``<Video>`` tag, whatever
the rate of the file, so that its frame 50 at 25 per second is what is shown after 2 s, and frame 60 of a file of 30
(HumanSignal/label-studio, issues 2630 and 3315). Frames are counted from 1, and the last one of a range belongs to it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from vidcls.datasets.annotated import LabelledPart
from vidcls.errors import DatasetError
from vidcls.video_files import is_video
from vidcls.video_part import VideoPart, number_text

Rate = float | Literal["file"]
RATE_NAMES = ("fps", "frameRate", "framerate", "frame_rate")
MOST_FRAMES_APART = 1.5  # a count of frames is the duration times the rate, rounded up or down
_WITHOUT = "tasks without labels, left out"
_SEVERAL = "tasks with several annotations, of which the last was taken"


@dataclass
class TaskReader:
    """Takes the tasks of one file.

    Args:
        source: the file.
        fps: frames per second by which the tool counted; ``file`` for frames of the file itself; None where the tasks
            say it.
        control: the name of the tag that has the labels; None takes the labels of time, else choices, else boxes.
    """

    source: str
    fps: Rate | None = None
    control: str | None = None
    left_out: Counter[str] = field(default_factory=Counter)
    rates: set[float] = field(default_factory=set)

    def parts(self, tasks: object) -> Iterator[LabelledPart]:
        """The labelled parts of all tasks.

        Raises:
            DatasetError: they are no such export, or do not say how frames were counted, or say two things.
        """
        if isinstance(tasks, Mapping):
            tasks = [tasks]
        if not isinstance(tasks, list) or not all(isinstance(task, Mapping) for task in tasks):
            raise DatasetError(f"{self.source}: expected a list of tasks, as Label Studio exports JSON or JSON_MIN")
        for number, task in enumerate(tasks, start=1):
            found = list(self._parts(task, number))
            if not found:
                self.left_out[_WITHOUT] += 1
            yield from found

    def _parts(self, task: Mapping[str, object], number: int) -> Iterator[LabelledPart]:
        place = f"{self.source} task:{number}"
        results = self._results(task)
        by_kind: dict[str, list[tuple[Mapping[str, object], tuple[str, ...]]]] = {}
        for name, kind, value in results:
            labels = value.get(kind) or value.get("labels")
            if self.control in (None, name) and isinstance(labels, list) and labels:
                by_kind.setdefault(kind, []).append((value, tuple(dict.fromkeys(map(str, labels)))))
        video = _video_of(task, place) if by_kind else ""
        for kind in ("timelinelabels", "choices", "videorectangle"):
            regions = by_kind.get(kind, [])
            if not regions:
                continue
            if kind == "timelinelabels":
                fps = self._rate(task, results, place)
                for value, classes in regions:
                    for part in _ranges(value, fps, place):
                        yield from (LabelledPart(video, (one,), part, f"{self.source} task", number) for one in classes)
            else:
                classes = tuple(dict.fromkeys(one for _, some in regions for one in some))
                yield LabelledPart(video, classes, None, f"{self.source} task", number)
            return

    def _results(self, task: Mapping[str, object]) -> list[tuple[str, str, Mapping[str, object]]]:
        """The name of the tag, the kind and the value of each region: those of JSON, or the fields of JSON_MIN."""
        annotations = task.get("annotations", task.get("completions"))
        if not isinstance(annotations, list):
            return [region for name, cell in task.items() for region in _plain_regions(name, cell)]
        usable = [each for each in annotations if isinstance(each, Mapping) and not each.get("was_cancelled")]
        truth = [each for each in usable if each.get("ground_truth")]
        if len(truth or usable) > 1:
            self.left_out[_SEVERAL] += 1
        listed = (truth or usable)[-1].get("result") if usable else []
        return [
            (str(region.get("from_name")), str(region.get("type")), region["value"])
            for region in (listed if isinstance(listed, list) else [])
            if isinstance(region, Mapping) and isinstance(region.get("value"), Mapping)
        ]

    def _rate(
        self, task: Mapping[str, object], results: Sequence[tuple[str, str, Mapping[str, object]]], place: str
    ) -> float | None:
        """Frames per second of the tool; None for the frames of the file."""
        if self.fps == "file":
            return None
        data = task.get("data")
        fields = {**task, **data} if isinstance(data, Mapping) else task
        stated = [rate for name in RATE_NAMES if (rate := _positive(fields.get(name))) is not None]
        rate = self.fps or (stated[0] if stated else None)
        if stated and rate is not None and not math.isclose(stated[0], rate, rel_tol=1e-3):
            raise DatasetError(
                f"{place}: states {number_text(stated[0])} frames per second, but --data.dataset.fps is "
                f"{number_text(rate)}: remove the option, or correct it"
            )
        for _, _, value in results:
            num_frames, seconds = _positive(value.get("framesCount")), _positive(value.get("duration"))
            if num_frames is None or seconds is None:
                continue
            if rate is not None and abs(seconds * rate - num_frames) > MOST_FRAMES_APART:
                raise DatasetError(
                    f"{place}: the tool counted {num_frames:g} frames in {seconds:g} s, which are "
                    f"{num_frames / seconds:.4g} per second and not {number_text(rate)}: correct --data.dataset.fps"
                )
            rate = num_frames / seconds if rate is None else rate
        if rate is None:
            raise DatasetError(
                f"{place}: does not say by how many frames per second its frames were counted, which need not be those "
                "of the file: pass --data.dataset.fps with the frameRate of the <Video> tag (24 where it has none), or "
                "--data.dataset.fps file where both are known to be the same"
            )
        self.rates.add(rate)
        return rate


def _plain_regions(name: str, cell: object) -> Iterator[tuple[str, str, Mapping[str, object]]]:
    """A field of JSON_MIN: a list of regions, a choice, or something else."""
    for value in cell if isinstance(cell, list) else [cell]:
        if isinstance(value, Mapping):
            kind = next((kind for kind in ("timelinelabels", "choices") if kind in value), "videorectangle")
            yield name, kind, value
    if isinstance(cell, str) and name in ("choice", "choices", "label", "class"):
        yield name, "choices", {"choices": [cell]}


def _ranges(value: Mapping[str, object], fps: float | None, place: str) -> Iterator[VideoPart]:
    ranges = value.get("ranges")
    for each in ranges if isinstance(ranges, list) else []:
        first, last = (_positive(each.get(name)) if isinstance(each, Mapping) else None for name in ("start", "end"))
        if first is None or last is None:
            raise DatasetError(f"{place}: a range of frames is {str(each)[:60]}: expected start and end, from 1")
        try:
            yield VideoPart(first - 1, last, "frames") if fps is None else VideoPart((first - 1) / fps, last / fps)
        except ValueError as error:
            raise DatasetError(f"{place}: {error}") from error


def _video_of(task: Mapping[str, object], place: str) -> str:
    """What the task calls its video: the field ``video``, else the only one that names one."""
    data = task.get("data")
    fields = data if isinstance(data, Mapping) else task
    named = fields.get("video")
    if isinstance(named, str):
        return named
    found = [cell for cell in fields.values() if isinstance(cell, str) and is_video(cell.partition("?d=")[2] or cell)]
    if len(found) != 1:
        raise DatasetError(f"{place}: has {len(found)} fields that name a video: expected data: {{video: PATH}}")
    return found[0]


def _positive(cell: object) -> float | None:
    try:
        found = float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return found if 0 < found < math.inf else None

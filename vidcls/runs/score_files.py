"""The scores of every video of a test -> ``test.csv``, and back."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from vidcls.files import write_csv
from vidcls.runs.results import ScoredVideos, collated
from vidcls.tasks import Task, task_of
from vidcls.video_part import PART_COLUMNS, VideoPart, part_cells, part_in_cells, part_units

SCORE_PREFIX = "p_"
UNREAD = "(unread)"
"""The prediction in the file for a video that could not be read; its scores are wrong by every count."""


def write_scores(path: Path, videos: ScoredVideos, *, unread: Container[str] = ()) -> None:
    """Write a line for each video, ``path,label,group,prediction,p_<class>...``, with the probabilities in full.

    Where some are parts of videos, ``start,end`` (or ``start_frame,end_frame``) follow ``path``.

    Args:
        path: the file, such as ``test.csv``.
        videos: to write.
        unread: paths of videos that could not be read.
    """
    write_csv(path, score_rows(videos, unread=unread))


def score_rows(
    videos: ScoredVideos, *, unread: Container[str] = (), labels: Sequence[str] | None = None
) -> Iterator[list[str]]:
    """The header and the lines of the file one at a time: those of thousands of classes are larger than memory.

    Args:
        videos: to write.
        unread: paths of videos that could not be read.
        labels: ``(N,)`` in place of their own, which are then of no class that the network knows.
    """
    units = part_units(videos.parts)
    of_parts = [column for unit in units for column in PART_COLUMNS[unit]]
    yield ["path", *of_parts, "label", "group", "prediction", *(SCORE_PREFIX + name for name in videos.class_names)]
    for number, (path, group, row) in enumerate(zip(videos.paths, videos.groups, videos.scores, strict=True)):
        prediction, part = UNREAD if path in unread else videos.prediction(number), videos.part(number)
        name = path if part is None else path.removesuffix(part.fragment)
        scores = (f"{p:.9g}" for p in row.tolist())
        label = videos.label(number) if labels is None else labels[number]
        yield [name, *part_cells(part, units), label, group, prediction, *scores]


def read_scores(
    path: Path, class_names: Sequence[str], task_name: str | None = None, thresholds: Sequence[float] | None = None
) -> ScoredVideos:
    """What :func:`write_scores` wrote.

    Args:
        path: the file.
        class_names: K names, in the order that the scores are to have.
        task_name: what the labels mean; the default task where None.
        thresholds: of each class, where the task has any and they are not its own.

    Raises:
        OSError: it cannot be read.
        ConfigurationError: there is no such task.
        KeyError: a column is missing, or a label is none of the classes.
        ValueError, csv.Error: it is damaged, or has no video.
    """
    task = task_of(task_name, class_names).with_thresholds(thresholds)
    videos, labels = read_with_labels(path, class_names, task)
    return replace(videos, labels=collated([task.target(task.classes_in(label)) for label in labels]))


def read_with_labels(path: Path, class_names: Sequence[str], task: Task) -> tuple[ScoredVideos, tuple[str, ...]]:
    """The videos of the file, with no labels of their own, and the texts that it has for them ``(N,)``.

    Raises:
        OSError, KeyError, ValueError, csv.Error: as of :func:`read_scores`, except that labels may be any.
    """
    paths: list[str] = []
    labels: list[str] = []
    groups: list[str] = []
    parts: list[VideoPart | None] = []
    scores = array("d")
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        column_of = {name: number for number, name in enumerate(next(rows, []))}
        named = [column_of[name] for name in ("path", "label", "group")]
        scored = [column_of[SCORE_PREFIX + name] for name in class_names]
        of_parts = {name: column_of[name] for pair in PART_COLUMNS.values() for name in pair if name in column_of}
        for row in filter(None, rows):
            if len(row) < len(column_of):
                raise ValueError(f"line {rows.line_num} has {len(row)} of {len(column_of)} cells")
            name, label, group = (row[column] for column in named)
            parts.append(part_in_cells({column: row[at] for column, at in of_parts.items()}))
            paths.append(name if parts[-1] is None else name + parts[-1].fragment)
            labels.append(label)
            groups.append(group)
            scores.extend([float(row[column]) for column in scored])
    if not paths:
        raise ValueError("no video")
    table = np.frombuffer(scores, dtype=np.float64).reshape(len(paths), len(class_names))
    found = tuple(parts) if any(parts) else ()
    unlabelled = collated([task.target(tuple(class_names[:1]))] * len(paths))
    return ScoredVideos(
        tuple(class_names), tuple(paths), unlabelled, tuple(groups), table, task.name, task.thresholds, found
    ), tuple(labels)

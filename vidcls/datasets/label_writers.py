"""Labelled videos -> files that CVAT and FiftyOne import; the readers beside it give the same parts back.

::

    cvat             OUT/<video>.xml            "CVAT for video 1.1": a track that covers the frames of each part
    fiftyone         OUT/labels.json data.json  FiftyOneTemporalDetectionDataset: frames from 1; the videos stay there
    fiftyone_tree    OUT/<class>/<video>        VideoClassificationDirectoryTree: whole videos, linked or copied
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

from vidcls.datasets.labelled_videos import LabelledVideo
from vidcls.errors import DatasetError
from vidcls.files import printable, write_text
from vidcls.types import VideoRecord
from vidcls.video.source import LocalFile

LabelFormat = Literal["cvat", "fiftyone", "fiftyone_tree"]
LABELS, MANIFEST = "labels.json", "data.json"


def write_cvat(path: Path, video: LabelledVideo, class_names: Sequence[str]) -> None:
    """Write one video as ``CVAT for video 1.1``, for a task of this video with these labels.

    A class of some frames is a track with a box around all of the picture, since older versions of CVAT import no tags
    of frames into a task of a video.

    Args:
        path: the ``.xml`` file.
        video: with its parts.
        class_names: of the task.

    Raises:
        OSError: it cannot be written; nothing half-written is left.
    """
    labels = "".join(
        f"<label><name>{escape(name)}</name><type>any</type><attributes></attributes></label>" for name in class_names
    )
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        "<annotations>",
        "  <version>1.1</version>",
        "  <meta>",
        "    <task>",
        f"      <name>{escape(printable(video.name))}</name>",
        f"      <size>{video.num_frames}</size>",
        "      <mode>interpolation</mode>",
        "      <start_frame>0</start_frame>",
        f"      <stop_frame>{video.num_frames - 1}</stop_frame>",
        "      <frame_filter></frame_filter>",
        f"      <labels>{labels}</labels>",
        f"      <original_size><width>{video.width_px}</width><height>{video.height_px}</height></original_size>",
        f"      <source>{escape(printable(video.name))}</source>",
        "    </task>",
        "  </meta>",
    ]
    for number, part in enumerate(video.parts):
        lines.append(f'  <track id="{number}" label={quoteattr(part.label)} source="manual">')
        shown = [part.first, part.stop - 1] if part.stop - 1 > part.first else [part.first]
        lines += [_box(frame, video, is_outside=False) for frame in shown]
        if part.stop < video.num_frames:
            lines.append(_box(part.stop, video, is_outside=True))
        lines.append("  </track>")
    write_text(path, "\n".join([*lines, "</annotations>", ""]))


def write_temporal_detections(
    folder: Path, videos: Iterable[LabelledVideo], class_names: Sequence[str], *, labels: str = LABELS
) -> list[Path]:
    """Write videos as a ``FiftyOneTemporalDetectionDataset``: the labels, and a manifest of where the videos are.

    Args:
        folder: to write into.
        videos: with their parts.
        class_names: by whose places the labels are named.
        labels: the name of the file of labels; the manifest is ``data.json`` beside ``labels.json``, else none.

    Returns:
        the files.

    Raises:
        DatasetError: two videos have the same name but for the suffix.
        OSError: a file cannot be written; nothing half-written is left.
    """
    place = {name: number for number, name in enumerate(class_names)}
    found: dict[str, list[dict[str, object]]] = {}
    paths: dict[str, str] = {}
    for video in videos:
        uuid = str(PurePosixPath(video.name).with_suffix(""))
        if uuid in paths:
            raise DatasetError(
                f"{video.name}: FiftyOne names videos without their suffix, and another video is already named {uuid}: "
                "rename one of them"
            )
        paths[uuid] = video.path
        found[uuid] = [
            {
                "label": place[part.label],
                "support": [part.first + 1, part.stop],
                **({} if part.confidence is None else {"confidence": round(part.confidence, 6)}),
            }
            for part in video.parts
        ]
    content = {labels: {"classes": list(class_names), "labels": found}}
    if labels == LABELS:
        content[MANIFEST] = paths  # type: ignore[assignment]
    for name, plain in content.items():
        write_text(folder / name, json.dumps(plain, indent=1) + "\n")
    return [folder / name for name in content]


def write_directory_tree(folder: Path, records: Sequence[VideoRecord]) -> int:
    """Link, or copy, whole videos into a folder for each class; returns how many.

    Raises:
        DatasetError: a record is a part, has several classes, or is not a file of this machine.
        OSError: a file cannot be written.
    """
    for record in records:
        if record.part is not None or len(record.classes) != 1:
            what = "a part of a video" if record.part is not None else f"of {len(record.classes)} classes"
            raise DatasetError(
                f"{record.name}: is {what}, and a folder has one class of whole videos: use --format fiftyone"
            )
        if not isinstance(record.source, LocalFile):
            raise DatasetError(f"{record.source}: is not a file of this machine: download it first")
        if "/" in record.label or record.label in (".", "..") or "\\" in record.label:
            raise DatasetError(f"{record.name}: the class {record.label!r} cannot name a folder: rename it")
    for record in records:
        place = _free(folder / record.label, PurePosixPath(record.name).name)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(os.path.realpath(record.path), place)
        except OSError:  # another disk, or one without links
            shutil.copyfile(record.path, place)
    return len(records)


def _free(folder: Path, file: str) -> Path:
    """A place for a file; of several of one name the later ones get a number, as FiftyOne does it."""
    place, number = folder / file, 2
    while place.exists():
        place, number = folder / f"{PurePosixPath(file).stem}-{number}{PurePosixPath(file).suffix}", number + 1
    return place


def _box(frame: int, video: LabelledVideo, *, is_outside: bool) -> str:
    return (
        f'    <box frame="{frame}" outside="{int(is_outside)}" occluded="0" keyframe="1" xtl="0.00" ytl="0.00" '
        f'xbr="{video.width_px:.2f}" ybr="{video.height_px:.2f}" z_order="0"></box>'
    )

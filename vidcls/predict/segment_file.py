"""Segments -> a csv file, or one for CVAT or FiftyOne; complete or not there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath

from vidcls.datasets.label_writers import write_cvat, write_temporal_detections
from vidcls.datasets.labelled_videos import labelled_video
from vidcls.files import write_csv
from vidcls.outputs import named_output
from vidcls.predict.segments import Segment
from vidcls.video import source_of
from vidcls.video_part import VideoPart

COLUMNS = ("start", "end", "label", "score")


def write_segments(
    path: Path, segments: Sequence[Segment], *, video: Path | str | None = None, class_names: Sequence[str] = ()
) -> None:
    """Write ``start,end,label,score``: seconds with three decimals, and the mean score of each segment.

    A ``.xml`` file is one for CVAT, and a ``.json`` file has temporal detections of FiftyOne, with the frames that are
    shown in each segment.

    Args:
        path: the file; its suffix says which.
        segments: of one video.
        video: it; needed for the frames of its segments.
        class_names: of the model, for those files.

    Raises:
        VidclsError: it cannot be written; nothing half-written is left.
    """
    with named_output(path, option="--segments"):
        if video is None or path.suffix.lower() not in (".xml", ".json"):
            rows = ([f"{s.start:.3f}", f"{s.end:.3f}", s.label, f"{s.score:.4f}"] for s in segments)
            write_csv(path, [COLUMNS, *rows])
            return
        labels = [(VideoPart(s.start, s.end), s.label, s.score) for s in segments]
        labelled = labelled_video(PurePath(str(video)).name, source_of(video), labels)
        if path.suffix.lower() == ".xml":
            write_cvat(path, labelled, class_names)
        else:
            write_temporal_detections(path.parent, [labelled], class_names, labels=path.name)

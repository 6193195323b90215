"""An export of Label Studio -> records: ranges of time are parts of videos, choices are classes of whole ones."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from vidcls.datasets.annotated import LabelledPart, counted, entries_of
from vidcls.datasets.base import VideoDataset, checked_records
from vidcls.datasets.checks import Faults
from vidcls.datasets.group_pattern import compiled_group_pattern
from vidcls.datasets.label_studio_tasks import Rate, TaskReader
from vidcls.datasets.places import existing_folder, local_annotation
from vidcls.datasets.splits import check_fractions
from vidcls.errors import DatasetError
from vidcls.remote import place_of
from vidcls.settings_file import one_line, read_json
from vidcls.video_part import number_text

if TYPE_CHECKING:
    from vidcls.remote.places import Place


class LabelStudio(VideoDataset):
    r"""Videos as they were labelled in Label Studio, from an export in JSON or JSON_MIN.

    Ranges of ``TimelineLabels`` are parts of their video. Where a task has none, its ``Choices`` are the class of the
    whole video, and where it has neither, the labels of its boxes (``VideoRectangle``) are.

    The tool counts frames by the ``frameRate`` of its ``<Video>`` tag, whatever the rate of the file. They are
    converted to seconds by that rate, and `notes` says so: by ``fps``, else by a field ``fps`` of the task, else by the
    frames and the duration that boxes state. Where none is there, or two contradict each other, the export is refused.

    Videos are found below ``root`` by their paths, or by their names, with or without what an upload puts before them.

    Args:
        path: the ``.json`` file.
        root: folder of the videos; default: that of the file.
        fps: frames per second by which the tool counted, or ``file`` where it counted those of the file.
        control: the name of the tag that has the labels, where there are several.
        val_fraction: share of the videos for validation.
        test_fraction: share of the videos for testing.
        seed: of the cut.
        group_pattern: regular expression searched in the path of a video below ``root``; its first bracket is the
            group, such as ``(person\d+)_``; default: the parts of a video are a group.

    Raises:
        DatasetError: the export is none, or contradicts itself or the files; the message has the number of the task.
        ValueError: ``group_pattern`` is not a regular expression with a bracket, or the fractions are not shares.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        root: str | PathLike[str] | None = None,
        fps: float | str | None = None,
        control: str | None = None,
        val_fraction: float = 0.15,
        test_fraction: float = 0.15,
        seed: int = 0,
        group_pattern: str | None = None,
    ) -> None:
        check_fractions(val_fraction, test_fraction)
        pattern, rate, file = compiled_group_pattern(group_pattern), _rate(fps), place_of(path)
        file = file.expanduser() if isinstance(file, Path) else file
        folder = existing_folder(str(file.parent) if root is None else root, what="folder of the videos")
        reader, faults = TaskReader(str(file), rate, control), Faults()
        parts: list[LabelledPart] = list(reader.parts(_read(file)))
        records = checked_records(
            entries_of(parts, folder, pattern),
            source=str(file),
            val_fraction=val_fraction,
            test_fraction=test_fraction,
            seed=seed,
            faults=faults,
        )
        notes = counted(reader.left_out)
        if rate == "file":
            notes.append("frames were taken for those of the files")
        elif reader.rates:
            rates = " or ".join(number_text(each) for each in sorted(reader.rates))
            notes.append(f"frames of the tool became seconds at {rates} per second, whatever the rate of the files")
        super().__init__(
            folder, records, source=str(file), notes=[f"{file.name}: {note}" for note in notes], faults=faults
        )


def _rate(fps: float | str | None) -> Rate | None:
    if fps is None or fps == "file":
        return fps  # type: ignore[return-value]
    try:
        found = float(fps)
    except ValueError:
        found = 0.0
    if not 0 < found < 1e6:
        raise ValueError(f"fps is {fps!r}: expected frames per second above 0, or file")
    return found


def _read(file: Place) -> object:
    if isinstance(file, Path) and not file.exists():
        raise DatasetError(f"no export at {file}: expected the JSON of Label Studio; check the path")
    with local_annotation(file) as here:
        try:
            return read_json(here)
        except (OSError, ValueError) as error:
            raise DatasetError(f"{file}: not valid json: {one_line(error)}; export it again") from error

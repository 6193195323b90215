"""An export of CVAT (XML 1.1) -> records: tracks, and tags of frames that follow each other, are parts of videos."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vidcls.datasets.annotated import LabelledPart, entries_of
from vidcls.datasets.base import VideoDataset, checked_records
from vidcls.datasets.checks import Faults
from vidcls.datasets.cvat_export import CvatFile
from vidcls.datasets.group_pattern import compiled_group_pattern
from vidcls.datasets.places import existing_folder, files_in, is_folder, local_annotation
from vidcls.datasets.splits import check_fractions
from vidcls.errors import DatasetError
from vidcls.remote import place_of

if TYPE_CHECKING:
    from vidcls.remote.places import Place


class CVAT(VideoDataset):
    r"""Videos as they were labelled in CVAT, from ``CVAT for video 1.1`` or ``CVAT for images 1.1`` of videos.

    A track is a part of its video with the class of the track, and so are frames with the same tag that follow each
    other. CVAT numbers the frames of the file, so that parts are in frames.

    Videos are found below ``root`` by the name in ``<source>``.

    Args:
        path: the ``.xml`` file, or a folder with several at any depth.
        root: folder of the videos; default: that of the file.
        labels: which labels are taken: ``tracks``, ``tags``, or ``all``.
        val_fraction: share of the videos for validation.
        test_fraction: share of the videos for testing.
        seed: of the cut.
        group_pattern: regular expression searched in the path of a video below ``root``; its first bracket is the
            group, such as ``(person\d+)_``; default: the parts of a video are a group.

    Raises:
        DatasetError: a file is not such an export, or contradicts itself or the videos.
        ValueError: ``group_pattern`` is not a regular expression with a bracket, or the fractions are not shares.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        root: str | PathLike[str] | None = None,
        labels: Literal["all", "tracks", "tags"] = "all",
        val_fraction: float = 0.15,
        test_fraction: float = 0.15,
        seed: int = 0,
        group_pattern: str | None = None,
    ) -> None:
        check_fractions(val_fraction, test_fraction)
        pattern, place = compiled_group_pattern(group_pattern), place_of(path)
        place = place.expanduser() if isinstance(place, Path) else place
        has_several = is_folder(place)
        files = _files_below(place) if has_several else [place]
        if not files or (isinstance(place, Path) and not place.exists()):
            raise DatasetError(
                f"no export at {place}: expected an XML file of CVAT, or a folder of them; check the path"
            )
        base = place if has_several else place.parent
        folder = existing_folder(str(base) if root is None else root, what="folder of the videos")
        parts: list[LabelledPart] = []
        counts = {"tracks": 0, "tags": 0}
        for file in files:
            with local_annotation(file) as here:
                found = CvatFile(here, str(file))
            counts["tracks"] += len(found.tracks)
            counts["tags"] += sum(map(len, found.tags.values()))
            if labels != "all":
                found.tracks, found.tags = (found.tracks, {}) if labels == "tracks" else ([], found.tags)
            parts += found.parts()
        faults = Faults()
        records = checked_records(
            entries_of(parts, folder, pattern),
            source=str(place),
            val_fraction=val_fraction,
            test_fraction=test_fraction,
            seed=seed,
            faults=faults,
        )
        notes = [f"{place.name}: {counts['tracks']} tracks and {counts['tags']} tags of frames; taken: {labels}"]
        super().__init__(folder, records, source=str(place), notes=notes, faults=faults)


def _files_below(folder: Place) -> list[Place]:
    return [*sorted(folder.rglob("*.xml"))] if isinstance(folder, Path) else sorted(files_in(folder, "*.xml"), key=str)

"""Labelled parts, as a label tool exports them, and the folder of the videos -> entries."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote

from vidcls.class_names import label_text
from vidcls.datasets.entries import Entry
from vidcls.datasets.group_pattern import group_in
from vidcls.datasets.places import joined, listed_below
from vidcls.datasets.video_columns import encoded
from vidcls.errors import DatasetError
from vidcls.video_part import VideoPart

if TYPE_CHECKING:
    from vidcls.remote.places import Place

_UPLOAD_PREFIX = re.compile(r"^[0-9a-f]{8}-")  # of the files that were uploaded to Label Studio


@dataclass(frozen=True, slots=True)
class LabelledPart:
    """What an annotator said of a video, or of a part of it.

    Args:
        video: as the tool calls it: a name, a path or an address.
        classes: that were chosen; nearly always one.
        part: from when to when; None for the whole video.
        source: the export that says it, and what its items are called.
        number: of the item, from 1.
    """

    video: str
    classes: tuple[str, ...]
    part: VideoPart | None
    source: str
    number: int


@dataclass
class VideosBelow:
    """Finds the videos of an export below a folder; what a tool calls them never leads out of it.

    Args:
        root: the folder.
    """

    root: Place
    _names: list[str] | None = None
    _by_file: dict[str, list[str]] = field(default_factory=dict)

    def name_of(self, called: str, place: str, *, any_suffix: bool = False) -> str:
        """The name below the root of what a tool calls a video; that of a missing one is the file's own.

        A whole path counts most, then its end, then the name of the file without what an upload puts before it.

        Args:
            called: a name, a path or an address.
            place: where it stands, for messages.
            any_suffix: whether the suffix may be left out.

        Raises:
            DatasetError: it leads out of the root, or several files could be it.
        """
        path = unquote(called.partition("?d=")[2] or called.partition("?")[0]).replace("\\", "/")
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if not parts or ".." in parts or "\0" in path:
            raise DatasetError(f"{place}: the video {called!r} leads out of {self.root}: correct the path")
        file = parts[-1]
        for wanted in dict.fromkeys((file, _UPLOAD_PREFIX.sub("", file))):
            found = self._called(wanted, any_suffix=any_suffix)
            for num_parts in range(len(parts), 0, -1):
                end = "/".join([*parts[-num_parts:-1], wanted])
                alike = [n for n in found if f"/{n}".endswith(f"/{end}") or f"/{_stem(n)}".endswith(f"/{end}")]
                if len(alike) == 1:
                    return alike[0]
                if alike:
                    raise DatasetError(
                        f"{place}: several videos below {self.root} could be {called!r}: {alike[0]} and {alike[1]}; "
                        "keep one, or name the folder that has it as --data.dataset.root"
                    )
        return file

    def _called(self, file: str, *, any_suffix: bool) -> list[str]:
        if self._names is None:
            self._names = listed_below(self.root).videos
            for name in self._names:
                for key in {PurePosixPath(name).name, f"{PurePosixPath(name).stem}/"}:  # no file ends in a slash
                    self._by_file.setdefault(key, []).append(name)
        return self._by_file.get(file, []) or (self._by_file.get(f"{file}/", []) if any_suffix else [])


def entries_of(
    parts: Iterable[LabelledPart], root: Place, pattern: re.Pattern[str] | None, *, any_suffix: bool = False
) -> Iterator[Entry]:
    """The entries of labelled parts.

    Args:
        parts: of an export.
        root: the folder of the videos.
        pattern: finds the group in a name.
        any_suffix: whether videos are called without their suffix.

    Raises:
        DatasetError: a video leads out of the folder, could be several, or has no group; or a text is no Unicode.
    """
    videos, seen = VideosBelow(root), set[tuple[str, VideoPart | None, tuple[str, ...]]]()
    for each in parts:
        place = f"{each.source}:{each.number}"
        _check_text(each, place)
        name = videos.name_of(each.video, place, any_suffix=any_suffix)
        if (name, each.part, each.classes) in seen:  # two annotators, or two tracks, that say the same
            continue
        seen.add((name, each.part, each.classes))
        yield Entry(
            joined(root, name),
            label_text(each.classes),
            name,
            group=None if pattern is None else group_in(pattern, name, place),
            source=each.source,
            line=each.number,
            several=None if len(each.classes) == 1 else each.classes,
            part=each.part,
        )


def _check_text(each: LabelledPart, place: str) -> None:
    """Refuse half of a surrogate pair, which JSON may hold and no file of text can."""
    for text in (each.video, *each.classes):
        try:
            encoded(text)
        except UnicodeEncodeError as error:
            raise DatasetError(f"{place}: {text!a} is not valid Unicode: correct the export") from error


def counted(numbers: Counter[str]) -> list[str]:
    """What was left out of an export, a line each: ``tasks without labels, left out: 3``."""
    return [f"{what}: {number}" for what, number in numbers.items() if number]


def _stem(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))

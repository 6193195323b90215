"""One line of an annotation, or one file of a folder -> an `Entry`: a video before anything is checked."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vidcls.datasets.text_table import check_unicode, read_text
from vidcls.remote import is_address, shown
from vidcls.types import Split
from vidcls.video_part import VideoPart

if TYPE_CHECKING:
    from vidcls.remote.places import Place


@dataclass(slots=True)
class Entry:
    """One video as it is listed; its split may still be open.

    Args:
        path: the file, absolute and without ``..``.
        label: the class name, or the text that names several classes.
        name: what the whole video will be called, see `name_inside`.
        split: the split it is listed in; None where it is still to be cut.
        group: what must stay together in one split; None where nothing is known.
        source: the annotation that lists it; empty where a folder does.
        line: line number in that annotation, from 1.
        extra: further columns.
        several: the classes of a video that has another number of them than one; None where ``label`` is its class.
        part: from when to when of the video it lasts; None for the whole video.
    """

    path: str
    label: str
    name: str
    split: Split | None = None
    group: str | None = None
    source: str = ""
    line: int = 0
    extra: Mapping[str, str] = field(default_factory=dict)
    several: tuple[str, ...] | None = None
    part: VideoPart | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes that the video is labelled with."""
        return (self.label,) if self.several is None else self.several

    @property
    def place(self) -> str:
        """Where a user finds it: ``clips.csv:12``, or the file itself where a folder lists it."""
        return f"{self.source}:{self.line}" if self.line else self.path

    @property
    def unit(self) -> str:
        """What moves between splits as a whole: the group, or this video alone."""
        return f"group/{self.group}" if self.group is not None else f"video/{self.name}"


def name_inside(path: str, root: str) -> str:
    """The path relative to ``root``, with forward slashes; never absolute, never with ``..``.

    A file outside ``root`` is called ``outside/<digest>/<file name>``; the digest is that of its path relative to
    ``root``, so the name stays the same when annotations and videos move together; of an address, that of itself.
    """
    slash = "/" if is_address(root) else os.sep
    inside = root if root.endswith(slash) else root + slash  # strings: 300,000 Paths would take seconds
    if path.startswith(inside):
        return path[len(inside) :].replace(slash, "/")
    if is_address(path):
        relative = shown(path)
        path = relative.partition("?")[0]
    else:
        try:
            relative = os.path.relpath(path, root)
        except ValueError:  # another drive
            relative = path
    digest = hashlib.blake2b(
        relative.replace(os.sep, "/").encode("utf-8", "surrogateescape"), digest_size=8
    ).hexdigest()
    return f"outside/{digest}/{os.path.basename(path)}"  # noqa: PTH119


def read_lines(file: Place) -> list[tuple[int, str]]:
    """The lines of a text file that are not blank, stripped, each with its line number from 1.

    Raises:
        DatasetError: the file is missing or is not text.
    """
    text = read_text(file)
    found = []
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        if stripped := line.strip():
            check_unicode(stripped, f"{file}:{number}")
            found.append((number, stripped))
    return found

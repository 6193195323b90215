"""Where a file is -> the address of a link on a page beside it; what it is called -> where its name may be broken."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup, escape

from vidcls.video import LocalFile, VideoSource

_ENDS = re.compile(r"(?<=[/\\_-])(?=[^/\\_-])")


def link_to(video: Path | VideoSource | None, page: Path) -> str | None:
    """The address of a file relative to the folder of a page, so that both can be moved together; None without a file.

    A file on another drive has its absolute address. A video at an address has none: the link may hold its key.
    """
    file = video.path if isinstance(video, LocalFile) else video
    if not isinstance(file, Path) or not file.is_file():
        return None
    try:
        address = os.path.relpath(file.absolute(), page.absolute().parent)
    except ValueError:  # on Windows, another drive
        return file.absolute().as_uri()
    parts = os.fsencode(Path(address).as_posix())  # names need not be UTF-8
    return quote(parts, safe="/")


def breakable(text: str) -> Markup:
    """A path as markup that is broken behind ``/``, ``_`` or ``-``, and inside of a word only where it must be."""
    return Markup("<wbr>").join(escape(part) for part in _ENDS.split(text))


def file_name(name: str) -> Markup:
    """A path as markup: the file goes to a line of its own rather than being broken where there is too little room."""
    folder, slash, file = name.rpartition("/")
    return Markup('{}<span class="name">{}</span>').format(breakable(folder + slash), breakable(file))

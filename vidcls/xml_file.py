"""An XML file -> its elements one by one, within limits, with nothing in it that could stand for more than it says.

Entities can stand for billions of characters, or for other files. No file of annotations has a document type, in which
they would be declared, so that one with it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from xml.parsers import expat

MAX_XML_BYTES = 2**28  # a long video with a box for each object in each frame has 100 MB
MAX_XML_DEPTH = 50
_CHUNK_BYTES = 1 << 20

Tags = tuple[str, ...]
"""An element with those around it, outermost first: ``("annotations", "track", "box")``."""


class XmlLimitError(ValueError):
    """XML that is larger or deeper than any file of annotations is, is damaged, or has a document type."""


def read_xml(
    path: Path,
    *,
    start: Callable[[Tags, Mapping[str, str]], None],
    end: Callable[[Tags, str], None],
    max_bytes: int | None = None,
) -> None:
    """Go through the elements of a file.

    Args:
        path: the file.
        start: is told of each element with its attributes when it begins.
        end: is told of each element with the text that is directly in it when it ends.
        max_bytes: no larger file is read; by default the limit of all.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not XML, or passes a limit.
    """
    limit, tags, texts = max_bytes or MAX_XML_BYTES, list[str](), list[list[str]]()

    def begin(name: str, attributes: dict[str, str]) -> None:
        tags.append(name)
        texts.append([])
        if len(tags) > MAX_XML_DEPTH:
            raise XmlLimitError(f"is nested more than {MAX_XML_DEPTH} deep")
        start(tuple(tags), attributes)

    def finish(_: str) -> None:
        end(tuple(tags), "".join(texts.pop()).strip())
        tags.pop()

    def refuse(*_: object) -> None:
        raise XmlLimitError("has a document type or entities, which no export of a label tool has")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = begin, finish
    parser.CharacterDataHandler = lambda text: texts[-1].append(text) if texts else None
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    num_bytes = 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                num_bytes += len(chunk)
                if num_bytes > limit:
                    raise XmlLimitError(f"has more than {limit:,} bytes")
                parser.Parse(chunk)
            parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise XmlLimitError(f"is not XML: {error}") from error

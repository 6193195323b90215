"""A folder of a command, or a video of it -> whether the other machines of a cluster see the same.

What the workers of a cluster write is found again only where all machines share the folder, or where it is at an
address, such as in an object store.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vidcls.errors import DatasetError
from vidcls.types import VideoRecord
from vidcls.video import LocalFile

_NUM_LOOKS = 4
_SECONDS_BETWEEN = 0.5


class Mark(Protocol):
    """Something that a machine sees if it shares the storage of the command; it can be pickled."""

    def problem(self) -> str:
        """What is wrong on this machine, in one line; empty where nothing is."""


@dataclass(frozen=True, slots=True)
class FolderMark:
    """A file that the command wrote into its folder.

    Args:
        file: the file, by the name that the command has for it.
        content: of it.
    """

    file: Path
    content: str

    def problem(self) -> str:
        """See :meth:`Mark.problem`."""
        for _ in range(_NUM_LOOKS):  # a network disk may show a new file late
            try:
                if self.file.read_text(encoding="utf-8") == self.content:
                    return ""
            except OSError:
                time.sleep(_SECONDS_BETWEEN)
        return (
            f"does not see {self.file.parent}: the nodes of a cluster need storage that they share: choose a folder on "
            "it, or --address local to use this machine alone"
        )


@dataclass(frozen=True, slots=True)
class VideoMark:
    """A video that the command can read.

    Args:
        record: the video.
    """

    record: VideoRecord

    def problem(self) -> str:
        """See :meth:`Mark.problem`."""
        if self.record.source.stamp() is not None:
            return ""
        return (
            f"does not see {self.record.source}: the videos must lie on storage that all nodes share, under the same "
            "path; or pass --address local to use this machine alone"
        )


@dataclass(frozen=True, slots=True)
class FileMark:
    """A file that every worker reads, such as a checkpoint.

    Args:
        file: the file, by the name that the command has for it.
        num_bytes: its size.
    """

    file: Path
    num_bytes: int

    def problem(self) -> str:
        """See :meth:`Mark.problem`."""
        try:
            if self.file.stat().st_size == self.num_bytes:
                return ""
            what = f"has another {self.file}"
        except OSError:
            what = f"does not see {self.file}"
        return (
            f"{what}: it must lie on storage that all nodes share, under the same path, or at an address; or pass "
            "--address local to use this machine alone"
        )


@contextmanager
def marked(folder: Path | None, records: Iterable[VideoRecord], files: Iterable[Path] = ()) -> Iterator[list[Mark]]:
    """What every worker must see, until the block is left.

    Args:
        folder: where the workers write; None where they do not, or where it is at an address.
        records: the first videos; those at addresses are seen from everywhere.
        files: that the workers read.

    Raises:
        DatasetError: the folder cannot be written to.
    """
    local = [record for record in records if isinstance(record.source, LocalFile)]
    marks: list[Mark] = [VideoMark(record) for record in local if record.source.stamp() is not None]
    marks += [FileMark(file, file.stat().st_size) for file in files]
    if folder is None:
        yield marks
        return
    file = folder / f".cluster-{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(file.name, encoding="utf-8")
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be written to ({error.strerror}): choose another folder") from error
    try:
        yield [*marks, FolderMark(file, file.name)]
    finally:
        file.unlink(missing_ok=True)

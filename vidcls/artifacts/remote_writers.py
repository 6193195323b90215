"""The right to write to a folder at an address, where there are no locks: for one command, which is told."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from vidcls.artifacts.writers import Writers
from vidcls.errors import ConfigurationError
from vidcls.remote.places import is_remote
from vidcls.shard import WHOLE, Shard

if TYPE_CHECKING:
    from upath import UPath

    from vidcls.remote.places import Place

_log = logging.getLogger(__name__)


class RemoteWriters(Writers):
    """As :class:`Writers`, but nothing keeps another command out.

    Two that write the features, or the flow, of one video write the same object; lists are those of the command that
    ends last.

    Args:
        root: the folder.
        shard: the whole list.

    Raises:
        ConfigurationError: by :meth:`__enter__`, where it is a share of the videos: each would overwrite the lists of
            the others.
    """

    def __init__(self, root: UPath, shard: Shard = WHOLE) -> None:
        self.place = root
        self.shard = shard

    def __enter__(self) -> Self:
        if not self.shard.is_whole:
            raise ConfigurationError(
                f"{self.place}: an object store has no locks, without which shards would overwrite each other's lists: "
                "remove --shard; --engine ray works on several machines"
            )
        _log.warning("%s: an object store has no locks: let no other command write to it", self.place)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """There is nothing to release."""

    @contextmanager
    def merging(self) -> Iterator[None]:
        """See :meth:`Writers.merging`."""
        yield

    def others(self) -> list[str]:
        """There are none that one could know of."""
        return []

    def own_file(self, name: str) -> Place:
        """The file of all."""
        return self.place / name

    def unmerged_files(self, name: str) -> list[Path]:  # noqa: ARG002
        """Shards alone leave such files."""
        return []


def writers_at(root: Place, shard: Shard = WHOLE) -> Writers:
    """The right to write to a folder, of this machine or at an address.

    Raises:
        FolderInUseError, ConfigurationError: as of :class:`Writers`, when the block is entered.
    """
    return RemoteWriters(root, shard) if is_remote(root) else Writers(root, shard)

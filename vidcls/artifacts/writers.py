"""A folder with a file for each video -> one command that writes to it, or several shards of one at the same time.

::

    store/.lock                     held by a command that works on all videos, as in every folder
    store/.shards/2-of-3.lock       held by a shard, which keeps out the same shard and commands on all videos
    store/.shards/2-of-3.NAME       what a shard alone writes to, until it is merged into what belongs to all
    store/.shards/merge.lock        held while what belongs to all is read, changed and written; others wait

The files of the videos need none of these: each is written under another name and is complete when it gets its own.
All of it works on a disk that several machines share, where that has locks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from vidcls.errors import ConfigurationError, FolderInUseError
from vidcls.folder_lock import FolderLock
from vidcls.remote.places import Place
from vidcls.shard import WHOLE, Shard

SHARDS_FOLDER = ".shards"
_LOCK_SUFFIX = ".lock"


class Writers:
    """The right to write to a folder, for one shard of the videos, until the block is left.

    Args:
        root: the folder, made where it does not exist.
        shard: of the videos; the whole list has the folder to itself.

    Raises:
        FolderInUseError: by :meth:`__enter__`: a command on all videos, the same shard, or one of another number of
            shards is writing to it.
        ConfigurationError: likewise: it cannot be written to, or its disk has no locks, without which shards would
            overwrite what belongs to all.
    """

    def __init__(self, root: Path, shard: Shard = WHOLE) -> None:
        self.root = root
        self.shard = shard
        self._folder = root / SHARDS_FOLDER
        self._name = _name_of(shard)
        self._own = FolderLock(root) if shard.is_whole else self._lock_of(self._name)

    def __enter__(self) -> Self:
        if self.shard.is_whole:
            self._own.acquire()
            try:
                with self.merging():
                    self._require([name for name in self._locked_names() if self._is_held(name)])
            except BaseException:
                self._own.release()
                raise
            return self
        with self.merging():
            self._own.acquire()
            try:
                with FolderLock(self.root):  # no command on all videos has it
                    pass
                self._require([name for name in self.others() if not name.endswith(f"-of-{self.shard.num_shards}")])
            except BaseException:
                self._own.release()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._own.release()

    @contextmanager
    def merging(self) -> Iterator[None]:
        """While the block runs, no other shard reads or writes what belongs to all, nor starts."""
        if self.shard.is_whole and not self._folder.is_dir():
            yield
            return
        lock = FolderLock(self._folder, name="merge.lock", what=f"{self.root}, its shards", is_kept=True)
        lock.acquire(wait=True)
        if not lock.is_held:
            raise ConfigurationError(
                f"{self.root}: its disk has no locks, without which shards would overwrite each other's lists: remove "
                "--shard, or choose a folder on another disk"
            )
        try:
            yield
        finally:
            lock.release()

    def others(self) -> list[str]:
        """The other shards that are at work now, such as ``1-of-3``; to be asked while merging."""
        return [name for name in self._locked_names() if name != self._name and self._is_held(name)]

    def own_file(self, name: str) -> Place:
        """Where this shard writes what will become part of the file of that name in the folder, or that file."""
        return self.root / name if self.shard.is_whole else self._folder / f"{self._name}.{name}"

    def unmerged_files(self, name: str) -> list[Path]:
        """The own files of this shard and of those that ended too early; to be asked while merging.

        What a kill left of writing one of them is removed.
        """
        at_work = self.others()
        for leftover in self._folder.glob(".*-of-*.*-????????.*"):
            if leftover.name[1:].partition(".")[0] not in at_work:
                leftover.unlink(missing_ok=True)
        found = self._folder.glob(f"*-of-*.{name}")
        return sorted(path for path in found if path.name.partition(".")[0] not in at_work)

    def _require(self, at_work: list[str]) -> None:
        if at_work:
            self._lock_of(at_work[0]).acquire()  # raises, and says who has it

    def _locked_names(self) -> list[str]:
        return sorted(path.name.removesuffix(_LOCK_SUFFIX) for path in self._folder.glob(f"*-of-*{_LOCK_SUFFIX}"))

    def _is_held(self, name: str) -> bool:
        lock = self._lock_of(name)
        try:
            lock.acquire()
        except FolderInUseError:
            return True
        lock.release()
        return False

    def _lock_of(self, name: str) -> FolderLock:
        number, _, num_shards = name.partition("-of-")
        return FolderLock(self._folder, name=name + _LOCK_SUFFIX, what=f"{self.root}, shard {number}/{num_shards}")


def _name_of(shard: Shard) -> str:
    return f"{shard.number}-of-{shard.num_shards}"

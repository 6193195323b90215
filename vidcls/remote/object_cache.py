"""An address -> a whole local file of the object, for as long as a block lasts; kept for the next one.

fsspec's own ``filecache`` has no limit of size, checks neither length nor version, and lets two processes write one
file at a time. Here a file is whole or absent, is named after the address, the size and the ETag of what it holds, is
fetched by one process while others wait for it, and stays while somebody reads it.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO

from filelock import FileLock

from vidcls.errors import RemoteError
from vidcls.files import cache_folder, naming
from vidcls.remote.addresses import shown
from vidcls.remote.cache_room import CacheRoom, has_locks, is_at, limit_bytes, lock_alone, lock_shared
from vidcls.remote.faults import ChangedError
from vidcls.remote.requests import ObjectFacts, changed_error, facts_of, ranges

MOST_CHANGES = 3  # after which a file that is written again and again is given up
_NUM_LOCKS = 256  # so that their number does not grow with that of the objects


class ObjectCache:
    """Local files of objects, up to a size.

    Args:
        folder: default: ``objects`` in :func:`vidcls.files.cache_folder`.
        most_bytes: default: see :func:`vidcls.remote.cache_room.limit_bytes`.
    """

    def __init__(self, folder: Path | None = None, most_bytes: int | None = None) -> None:
        self.folder = cache_folder() / "objects" if folder is None else folder
        self._room = CacheRoom(self.folder, limit_bytes() if most_bytes is None else most_bytes)

    @contextmanager
    def copy_of(self, address: str, facts: ObjectFacts | None = None) -> Iterator[Path]:
        """A whole file of the object as it is now, or as ``facts`` say; it stays as long as the block lasts.

        Raises:
            RemoteError: the object cannot be read, or is another one than ``facts`` say.
        """
        with ExitStack() as stack:
            yield self._found_or_fetched(address, facts, stack)

    def found(self, address: str, facts: ObjectFacts) -> IO[bytes] | None:
        """The open file of an object that already exists, to be closed after use; None where it is not."""
        path = self._path(address, facts)
        with suppress(FileNotFoundError):
            file = path.open("rb")
            lock_shared(file)
            if is_at(file, path) and os.fstat(file.fileno()).st_size == facts.num_bytes:
                with suppress(OSError):
                    os.utime(path)  # used just now
                return file
            file.close()
        return None

    def _found_or_fetched(self, address: str, facts: ObjectFacts | None, stack: ExitStack) -> Path:
        for _ in range(MOST_CHANGES):
            now = facts_of(address) if facts is None else facts
            path = self._path(address, now)
            if (file := self.found(address, now)) is not None:
                stack.enter_context(file)
                return path
            try:
                with self._turn(path):
                    if (file := self.found(address, now)) is not None:  # another process has just fetched it
                        stack.enter_context(file)
                        return path
                    return self._fetched(address, now, path, stack)
            except ChangedError:
                if facts is not None:
                    break
        raise changed_error(address)

    def _turn(self, path: Path) -> FileLock:
        number = int(path.parent.name, 16) % _NUM_LOCKS
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # what it holds may be for this user alone
        folder = self.folder / "turns"
        folder.mkdir(exist_ok=True)
        return FileLock(folder / f"{number:02x}.lock")

    def _fetched(self, address: str, facts: ObjectFacts, path: Path, stack: ExitStack) -> Path:
        with self._room.taken(facts.num_bytes) as has_room:
            if not has_room:
                alone = (
                    Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vidcls-"))) / f"object{path.suffix}"
                )
                with naming(alone), alone.open("wb") as file:
                    _write(address, facts, file)
                return alone
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{os.getpid()}-{path.name}")
            try:
                with naming(temporary), temporary.open("w+b") as file:
                    lock_alone(file)
                    file.truncate(facts.num_bytes)  # which counts as taken while it is written
                    _write(address, facts, file)
                    file.flush()
                    os.fsync(file.fileno())
                    if not has_locks():
                        file.close()  # Windows renames no open file; elsewhere it stays locked until it has its name
                    temporary.replace(path)
                    kept = stack.enter_context(path.open("rb"))
                lock_shared(kept)
            except FileNotFoundError as error:
                raise ChangedError("it was removed from the cache at once") from error
            finally:
                temporary.unlink(missing_ok=True)
        if not is_at(kept, path):  # gone between the two locks
            raise ChangedError("it was removed from the cache at once")
        return path

    def _path(self, address: str, facts: ObjectFacts) -> Path:
        key = f"{address}\n{facts.num_bytes}\n{facts.version}".encode("utf-8", "surrogateescape")
        digest = hashlib.blake2b(key, digest_size=16).hexdigest()
        suffix = PurePosixPath(shown(address).partition("?")[0]).suffix[:12]
        return self.folder / digest[:2] / f"{digest}{suffix if suffix.isascii() and suffix[1:].isalnum() else ''}"


def _write(address: str, facts: ObjectFacts, file: IO[bytes]) -> None:
    num_bytes = sum(file.write(content) for content in ranges(address, facts))
    if num_bytes != facts.num_bytes:
        raise RemoteError(f"{shown(address)}: {num_bytes} of {facts.num_bytes} bytes came; try again")

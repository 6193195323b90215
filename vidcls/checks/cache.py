"""What was found out about video files -> a folder of JSON files, so that no file is opened twice for it.

For each folder of videos there is one JSON file, named by a digest of the folder's path, with an entry for each video
that was examined: its size and date, by which a changed file is known, and what was found::

    checked/3f0c…a1.json    {"format": 1, "decoders": {...}, "folder": "/data/clips/walk",
                             "videos": {"a.mp4": {"num_bytes": 51200, "mtime_ns": 1764…, "health": {...}, ...}}}
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from vidcls.errors import ConfigurationError
from vidcls.files import cache_folder, write_text
from vidcls.folder_lock import FolderLock
from vidcls.settings_file import read_json
from vidcls.types import VideoRecord
from vidcls.video.health import Health, decoder_versions
from vidcls.video.reader import Backend

FORMAT = 1
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CheckedVideo:
    """One examined file.

    Args:
        num_bytes: its size when it was examined.
        mtime_ns: its date then.
        health: what was found.
        source_digest: as in :class:`vidcls.video.source_identity.SourceIdentity`; empty where it cannot be read.
        most_seconds: the time that it was allowed.
    """

    num_bytes: int
    mtime_ns: int
    health: Health
    source_digest: str = ""
    most_seconds: float = 0.0

    @property
    def ran_out_of_time(self) -> bool:
        """Whether more time might have found out more."""
        return self.health.fault == "hang" or self.health.num_unread > 0


class CheckCache:
    """Examined files by path; only entries of unchanged files, read by the same decoders, are given back.

    Args:
        folder: where the JSON files lie; None keeps nothing from one run to the next.
        decoder: the one that the files are read with; None for all in turn.
    """

    def __init__(self, folder: Path | None, *, decoder: Backend | None = None) -> None:
        self.folder = folder
        self.decoder = decoder
        self._is_unwritable = False
        self._shards: dict[str, dict[str, CheckedVideo]] = {}
        self._changed: dict[str, set[str]] = {}  # names of files by their folder

    def find(self, path: Path, *, most_seconds: float = 0.0) -> CheckedVideo | None:
        """What is known of the file as it is now; None where nothing is, or where more time is given than then."""
        checked = self._shard(path).get(path.name)
        if checked is None or (checked.ran_out_of_time and checked.most_seconds < most_seconds):
            return None
        try:
            status = path.stat()
        except OSError:
            return None
        return checked if (status.st_size, status.st_mtime_ns) == (checked.num_bytes, checked.mtime_ns) else None

    def known_faults(self, paths: Iterable[Path]) -> dict[Path, str]:
        """Why a training could not use these files, of those of which that is known."""
        found: dict[Path, str] = {}
        for path in paths:
            known = self._shard(path).get(path.name)
            if known is not None and known.health.fault and self.find(path) is not None:
                found[path] = known.health.reason
        return found

    def add(self, path: Path, checked: CheckedVideo) -> None:
        """Keep what was found, from the next `save` on for good."""
        self._shard(path)[path.name] = checked
        self._changed.setdefault(str(path.parent), set()).add(path.name)

    def save(self) -> None:
        """Write what is new, each JSON file whole or not at all, beside what other processes have written meanwhile.

        Where that is impossible a warning says so, once, and nothing is kept: what was found is worth more.
        """
        if self.folder is None or not self._changed or self._is_unwritable:
            return
        try:
            self._write(self.folder)
        except (OSError, ConfigurationError) as error:
            self._is_unwritable = True
            _log.warning(
                "what was found is not kept: %s cannot be written to (%s); pass --cache FOLDER, or --cache none",
                self.folder,
                getattr(error.__cause__ or error, "strerror", None) or error,
            )

    def _write(self, folder: Path) -> None:
        lock = FolderLock(folder)
        lock.acquire(wait=True)
        try:
            for place, names in sorted(self._changed.items()):
                shard = self._shards[place]
                shard = _read(self._file(place)) | {name: shard[name] for name in names}
                plain = {
                    "format": FORMAT,
                    "decoders": decoder_versions(),
                    "folder": place,
                    "videos": {name: asdict(checked) for name, checked in shard.items()},
                }
                write_text(self._file(place), json.dumps(plain))
            self._changed.clear()
        finally:
            lock.release()

    def _shard(self, path: Path) -> dict[str, CheckedVideo]:
        place = str(path.parent)
        if place not in self._shards:
            self._shards[place] = _read(self._file(place)) if self.folder is not None else {}
        return self._shards[place]

    def _file(self, place: str) -> Path:
        assert self.folder is not None
        key = f"{place}\n{self.decoder or ''}".encode("utf-8", "surrogateescape")
        return self.folder / f"{hashlib.blake2b(key, digest_size=16).hexdigest()}.json"


def default_folder() -> Path:
    """``vidcls/checked`` in ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    return cache_folder() / "checked"


def known_bad(records: Iterable[VideoRecord], *, decoder: Backend | None = None) -> dict[Path, str]:
    """The files that a check found to be unreadable and that have not changed since, each with the reason.

    Opens no video. Files that were never checked are not in it, nor those that were checked with other decoders.

    Args:
        records: the videos.
        decoder: the one that they are read with; None for all in turn.
    """
    folder = default_folder()
    if not folder.is_dir():
        return {}
    return CheckCache(folder, decoder=decoder).known_faults(record.path for record in records)


def _read(file: Path) -> dict[str, CheckedVideo]:
    """The entries of a JSON file; none where it is not there, damaged, of another format or of other decoders."""
    try:
        plain = read_json(file)
        if (plain["format"], plain["decoders"]) != (FORMAT, decoder_versions()):
            return {}
        return {name: _checked(entry) for name, entry in plain["videos"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _checked(entry: dict[str, object]) -> CheckedVideo:
    health = entry["health"]
    if not isinstance(health, dict):
        raise TypeError("the health of a file is a mapping")
    stream_kinds = tuple(health["stream_kinds"])
    return CheckedVideo(**(entry | {"health": Health(**(health | {"stream_kinds": stream_kinds}))}))  # type: ignore[arg-type]

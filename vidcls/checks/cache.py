"""What was found out about video files -> a small database, so that no file is opened twice for it.

One table has a row for each file: where it is, its size and date, by which a changed file is known, the decoder and the
versions that read it, and what was found. Several processes may use it at the same time::

    folder        name    decoder  versions           num_bytes  mtime_ns  ...  health
    /data/walk    a.mp4            {"av": "16.1"...}  51200      1764...        {"fault": "", "num_frames": 25, ...}
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from vidcls.datasets.record_facts import at_places, folders_of
from vidcls.datasets.records import RecordTable
from vidcls.files import cache_folder
from vidcls.settings_file import parse_json
from vidcls.types import VideoRecord
from vidcls.video.health import Health, decoder_versions
from vidcls.video.picture_hash import hashes_in
from vidcls.video.reader import Backend
from vidcls.video.source import AnyVideo, VideoSource, source_of

FILE_NAME = "checked-3.sqlite"  # the number changes with the meaning of its content, so that versions live side by side
BUSY_SECONDS = 60.0  # that another process may take to write; a save takes milliseconds
# The journal stays sqlite's default one: a write-ahead log needs memory that is shared, and home folders may be remote.
_TABLE = """CREATE TABLE IF NOT EXISTS videos (
    folder BLOB, name BLOB, decoder TEXT, versions TEXT, num_bytes INTEGER, mtime_ns INTEGER, source_digest TEXT,
    most_seconds REAL, health TEXT, PRIMARY KEY (folder, name, decoder, versions)
) WITHOUT ROWID"""
_FIND = """SELECT name, num_bytes, mtime_ns, source_digest, most_seconds, health FROM videos
    WHERE folder = ? AND decoder = ? AND versions = ?"""
_FIND_FAULTY = """SELECT name FROM videos WHERE folder = ? AND decoder = ? AND versions = ? AND health NOT LIKE ?"""
_NO_FAULT = '%"fault": "",%'  # a health is written as JSON; what else looks like it is looked at once more
_KEEP = "INSERT OR REPLACE INTO videos VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_OTHER_TABLES = sqlite3.SQLITE_ERROR  # of a reader: or none yet, while another process makes them
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
    """Examined videos by their place; only entries of unchanged files, read by the same decoders, are given back.

    Args:
        folder: where the database lies; None keeps nothing from one run to the next.
        decoder: the one that the files are read with; None for all in turn.
    """

    def __init__(self, folder: Path | None, *, decoder: Backend | None = None) -> None:
        self.folder = folder
        self.decoder = decoder
        self._is_unwritable = False
        self._by_folder: dict[str, dict[str, CheckedVideo]] = {}
        self._changed: set[tuple[str, str]] = set()

    def find(self, video: AnyVideo, *, most_seconds: float = 0.0) -> CheckedVideo | None:
        """What is known of the video as it is now; None where nothing is, or where more time is given than then."""
        source = source_of(video)
        if not source.is_lasting:
            return None
        folder, name = os.path.split(source.name)
        checked = self._beside(folder).get(name)
        if checked is None or (checked.ran_out_of_time and checked.most_seconds < most_seconds):
            return None
        return checked if source.stamp() == (checked.num_bytes, checked.mtime_ns) else None

    def known_faults(self, sources: Iterable[VideoSource]) -> dict[VideoSource, str]:
        """Why a training could not use these videos, of those of which that is known."""
        found: dict[VideoSource, str] = {}
        for source in sources:
            folder, name = os.path.split(source.name)
            known = self._beside(folder).get(name)
            if known is not None and known.health.fault and self.find(source) is not None:
                found[source] = known.health.reason
        return found

    def faulty_files(self, folders: Iterable[str]) -> set[str]:
        """The files of these folders in which a fault was found, whether or not they have changed since."""
        file = None if self.folder is None else self.folder / FILE_NAME
        if file is None or not file.is_file():
            return set()
        found: set[str] = set()
        try:
            with closing(_connected(file)) as database:
                for folder in folders:
                    wanted = (os.fsencode(folder), self.decoder or "", json.dumps(decoder_versions()), _NO_FAULT)
                    names = [os.fsdecode(name) for (name,) in database.execute(_FIND_FAULTY, wanted)]
                    found.update(os.path.join(folder, name) for name in names)  # noqa: PTH118
        except sqlite3.DatabaseError as error:
            if _is_one_of(error, *_DAMAGED):
                self._start_again(file, error)
            return set()
        return found

    def add(self, video: AnyVideo, checked: CheckedVideo) -> None:
        """Keep what was found, from the next `save` on for good; of a video in memory nothing is kept."""
        source = source_of(video)
        if not source.is_lasting:
            return
        folder, name = os.path.split(source.name)
        self._beside(folder)[name] = checked
        self._changed.add((folder, name))

    def save(self) -> None:
        """Write what is new, all of it or nothing, beside what other processes have written meanwhile.

        Where that is impossible a warning says so, once, and nothing is kept: what was found is worth more.
        """
        if self.folder is None or not self._changed or self._is_unwritable:
            return
        try:
            try:
                self._write(self.folder / FILE_NAME)
            except sqlite3.DatabaseError as error:
                if not _is_one_of(error, *_DAMAGED, _OTHER_TABLES):
                    raise
                self._start_again(self.folder / FILE_NAME, error)
                self._write(self.folder / FILE_NAME)
        except (OSError, sqlite3.Error) as error:
            self._is_unwritable = True
            reason = error.strerror if isinstance(error, OSError) else error
            _log.warning(
                "what was found is not kept: %s cannot be written to (%s); pass --cache FOLDER, or --cache none",
                self.folder,
                reason,
            )

    def _write(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        versions = json.dumps(decoder_versions())
        rows = []
        for folder, name in sorted(self._changed):
            checked = self._beside(folder)[name]
            health = json.dumps(asdict(checked.health))
            facts = (checked.num_bytes, checked.mtime_ns, checked.source_digest, checked.most_seconds, health)
            rows.append((os.fsencode(folder), os.fsencode(name), self.decoder or "", versions, *facts))
        with closing(_connected(file)) as database, database:
            database.execute(_TABLE)
            database.executemany(_KEEP, rows)
        self._changed.clear()

    def _beside(self, folder: str) -> dict[str, CheckedVideo]:
        """What is known of the files of one folder."""
        if folder not in self._by_folder:
            self._by_folder[folder] = {} if self.folder is None else self._read(self.folder / FILE_NAME, folder)
        return self._by_folder[folder]

    def _read(self, file: Path, folder: str) -> dict[str, CheckedVideo]:
        """The rows of a folder; none where there is no database, or where it cannot be read."""
        if not file.is_file():
            return {}
        wanted = (os.fsencode(folder), self.decoder or "", json.dumps(decoder_versions()))
        try:
            with closing(_connected(file)) as database:
                rows = database.execute(_FIND, wanted).fetchall()
        except sqlite3.DatabaseError as error:
            if _is_one_of(error, *_DAMAGED):
                self._start_again(file, error)
            return {}
        found = {}
        for name, *facts in rows:
            with suppress(ValueError, KeyError, TypeError, AttributeError):  # a damaged row is an unknown file
                found[os.fsdecode(name)] = _checked(*facts)
        return found

    def _start_again(self, file: Path, error: sqlite3.DatabaseError) -> None:
        with suppress(OSError):
            file.unlink(missing_ok=True)
        _log.warning("%s: is damaged (%s): what was known is found out again", file, error)


def default_folder() -> Path:
    """``vidcls/checked`` in ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    return cache_folder() / "checked"


def known_bad(records: Sequence[VideoRecord], *, decoder: Backend | None = None) -> dict[VideoSource, str]:
    """The files that a check found to be unreadable and that have not changed since, each with the reason.

    Opens no video. Files that were never checked are not in it, nor those that were checked with other decoders.

    Args:
        records: the videos.
        decoder: the one that they are read with; None for all in turn.
    """
    folder = default_folder()
    if not folder.is_dir():
        return {}
    cache = CheckCache(folder, decoder=decoder)
    if isinstance(records, RecordTable):
        records = at_places(records, faulty) if (faulty := cache.faulty_files(folders_of(records))) else ()
    return cache.known_faults(record.source for record in records)


def _connected(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(file, timeout=BUSY_SECONDS)


def _is_one_of(error: sqlite3.DatabaseError, *codes: int) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in codes  # without what sqlite adds in the higher bits


def _checked(num_bytes: int, mtime_ns: int, source_digest: str, most_seconds: float, health: str) -> CheckedVideo:
    plain = parse_json(health)
    found = Health(**(plain | {"stream_kinds": tuple(plain["stream_kinds"])}))
    hashes_in(found.picture_hashes)  # raises where they are damaged
    return CheckedVideo(num_bytes, mtime_ns, found, source_digest, most_seconds)

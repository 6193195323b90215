"""Entries -> the rows whose file is not there; each folder is listed once, whatever the number of its files."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from vidcls.datasets.entry_table import EntryTable, Hashes
from vidcls.datasets.places import FEW, absent_of, bucket_of, listing_of_all
from vidcls.datasets.video_columns import ROWS_AT_ONCE, Rows, decoded, encoded
from vidcls.errors import RemoteError
from vidcls.remote import is_address, is_web
from vidcls.video_files import holds

MOST_OTHERS = 20  # names that a listing may have for each that is wanted, before asking one by one is cheaper
_SEPARATOR = encoded(os.sep)
_LISTS_BYTES = os.name == "posix" and sys.getfilesystemencoding() == "utf-8"


def missing_rows(entries: EntryTable) -> Rows:
    """The numbers of the entries, ascending, at whose path no file lies.

    A file is taken to be there where its folder lists one whose path has the same number of 64 bits; each of the others
    is asked for, since a file system may know a name in another case or Unicode form than it lists. A bucket does not:
    what its whole listing lacks is not there.
    """
    wanted = entries.different_paths
    if not len(wanted):
        return np.zeros(0, np.int64)
    is_there = np.zeros(len(wanted), dtype=np.bool_)
    at_addresses: dict[str, set[str]] = {}  # folders by bucket
    for folder in entries.folders:
        if is_address(address := decoded(folder) + "/"):
            at_addresses.setdefault(bucket_of(address), set()).add(address.rstrip("/"))
            continue
        _mark(wanted, is_there, _files_in(folder))
    whole: list[str] = []
    denied: list[str] = []
    for bucket, folders in at_addresses.items():
        if len(wanted) > FEW and not is_web(bucket):
            try:
                if _mark_listed(wanted, is_there, folders):
                    whole.append(bucket)
            except RemoteError as error:
                if not error.is_denied:
                    raise
                denied.append(bucket)
    if is_there.all():
        return np.zeros(0, np.int64)
    unseen = np.flatnonzero(np.isin(entries.path_hashes, wanted[~is_there]))
    absent_in = partial(absent_of, whole_listings=whole, no_listings=denied)
    parts = (unseen[start : start + ROWS_AT_ONCE] for start in range(0, len(unseen), ROWS_AT_ONCE))
    return np.concatenate([_absent(entries, part, absent_in) for part in parts])


def _mark_listed(wanted: Hashes, is_there: NDArray[np.bool_], folders: set[str]) -> bool:
    """Mark what the listing of folders of one bucket has; whether that is all that there is."""
    num, most = 0, MOST_OTHERS * len(wanted)
    for names in listing_of_all(folders, most_names=most):
        _mark(wanted, is_there, np.sort(np.array([hash(encoded(name)) for name in names], dtype=np.int64)))
        num += len(names)
    return num < most


def _mark(wanted: Hashes, is_there: NDArray[np.bool_], listed: Hashes) -> None:
    at = np.minimum(np.searchsorted(wanted, listed), len(wanted) - 1)
    is_there[at[wanted[at] == listed]] = True


def _files_in(folder: bytes) -> Hashes:
    """The numbers, as of `EntryTable.path_hashes`, of the files that a folder lists, sorted."""
    start = folder + _SEPARATOR
    try:
        if _LISTS_BYTES:
            with os.scandir(folder or _SEPARATOR) as listing:
                found = [hash(start + item.name) for item in listing if item.is_file()]
        else:
            with os.scandir(decoded(folder) or os.sep) as names:
                found = [hash(start + encoded(item.name)) for item in names if holds(item.is_file)]
    except OSError:  # no such folder, or one that may be entered but not listed, or a link that leads round in a circle
        found = []
    return np.sort(np.array(found, dtype=np.int64))


def _absent(entries: EntryTable, rows: Rows, absent_in: Callable[[list[str]], set[str]]) -> Rows:
    paths = [row.path for row in entries.columns.rows(rows)]
    elsewhere = absent_in([path for path in paths if is_address(path)])
    is_absent = [path in elsewhere if is_address(path) else not os.path.isfile(path) for path in paths]  # noqa: PTH113
    return rows[np.array(is_absent, dtype=np.bool_)]

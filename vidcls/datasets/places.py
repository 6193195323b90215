"""Folders of this machine and at addresses -> what lies in them, by the same questions."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from vidcls import video_files
from vidcls.errors import DatasetError, MissingDataError, RemoteError
from vidcls.remote import exists, is_web, listed, local_copy, object_exists, place_of, read_bytes
from vidcls.video_files import Listing, is_video, is_visible, listing_of

if TYPE_CHECKING:
    from vidcls.remote.places import Place

NUM_THREADS = 16  # a server answers each question after a while, but many at once
FEW = 200  # objects are asked for one by one; of more, their folder is listed
NAMES_AT_ONCE = 1 << 16
MOST_ASKED_OF_UNLISTED = 20  # of what a complete listing lacks: whether it names objects as the list does
MOST_ASKED_OF_WEB = 1000  # of a web server, which lists nothing: a sample tells whether the addresses are right


def existing_folder(folder: str | PathLike[str], *, what: str) -> Place:
    """``folder`` as an absolute path, or as a place at an address.

    Raises:
        DatasetError: it does not exist or is not a folder; ``what`` says what it was wanted for.
        ConfigurationError: it is an address that may not be read.
    """
    place = place_of(folder)
    if not isinstance(place, Path):
        if is_web(str(place)):
            return place  # which cannot be asked
        if not _may_be_folder(place):
            raise MissingDataError(f"{what}: expected a folder, but there is nothing below {place}; check the address")
        return place
    absolute = Path(os.path.abspath(place.expanduser()))  # noqa: PTH100 - links in a user's path stay as written
    if not absolute.is_dir():
        found = "is a file" if absolute.exists() else "does not exist"
        kind = DatasetError if absolute.exists() else MissingDataError
        raise kind(f"{what}: expected a folder, but {absolute} {found}; check the path")
    return absolute


def _may_be_folder(place: Place) -> bool:
    """Whether there is a folder, or none may be asked for: whoever reads single objects by name needs no listing."""
    try:
        return is_folder(place)
    except RemoteError as error:
        if error.is_denied:
            return True
        raise


def is_folder(place: Place) -> bool:
    """Whether there is a folder; at an address, whether there is an object below it."""
    if isinstance(place, Path):
        return place.is_dir()
    if is_web(str(place)):
        return False
    try:
        return next(listed(str(place), deep=False), None) is not None
    except RemoteError as error:
        if error.is_missing:  # the bucket
            return False
        raise


def is_file(place: Place) -> bool:
    """Whether there is a file."""
    return place.is_file() if isinstance(place, Path) else exists(place)


def joined(folder: Place | str, name: str) -> str:
    """The path or the address of what is called ``name``, with forward slashes, in a folder."""
    return f"{str(folder).rstrip('/')}/{name}"


def below_address(root: str, name: str) -> str | None:
    """The address of what a list calls ``name``, also with ``..``; None where that leads out of the bucket or host."""
    scheme, _, rest = root.partition("://")
    host, _, folder = rest.partition("/")
    key = posixpath.normpath(f"{folder.rstrip('/')}/{name}".lstrip("/"))
    return None if key in (".", "..") or key.startswith("../") else f"{scheme}://{host}/{key}"


def visible_folders(folder: Place) -> list[str]:
    """Names of the sub-folders that are neither hidden nor a system's own, sorted."""
    if isinstance(folder, Path):
        return video_files.visible_folders(folder)
    return sorted(one.name for one in listed(str(folder), deep=False) if one.is_folder and is_visible(one.name))


def videos_directly_in(folder: Place) -> list[str]:
    """Names of the video files that lie in the folder itself, sorted."""
    if isinstance(folder, Path):
        return video_files.videos_directly_in(folder)
    return sorted(one.name for one in listed(str(folder), deep=False) if not one.is_folder and is_video(one.name))


def listed_below(folder: Place) -> Listing:
    """Video files at any depth, and how many other files there are of each suffix."""
    if isinstance(folder, Path):
        return video_files.listed_below(folder)
    return listing_of(one.name for one in listed(str(folder)) if not one.is_folder)


def files_in(folder: Place, pattern: str) -> Sequence[Place]:
    """The files that lie in the folder itself and whose names match, such as ``*.csv``, sorted."""
    if isinstance(folder, Path):
        return sorted(folder.glob(pattern))
    if is_web(str(folder)):
        return []
    names = (one.name for one in listed(str(folder), deep=False) if not one.is_folder)
    return [folder / name for name in sorted(name for name in names if fnmatchcase(name, pattern))]


def content_of(file: Place) -> bytes:
    """All bytes of an annotation.

    Raises:
        DatasetError: it cannot be read.
    """
    try:
        return read_bytes(file)
    except RemoteError as error:
        raise (MissingDataError if error.is_missing else DatasetError)(
            f"cannot read the annotation: {error}"
        ) from error
    except OSError as error:
        kind = MissingDataError if isinstance(error, FileNotFoundError) else DatasetError
        raise kind(f"cannot read the annotation {file}: {error.strerror}; check the path") from error


@contextmanager
def local_annotation(file: Place) -> Iterator[Path]:
    """A file of this machine with the bytes of an annotation, as long as the block lasts.

    Raises:
        DatasetError: it is at an address and cannot be read.
    """
    with ExitStack() as stack:
        try:
            here = stack.enter_context(local_copy(file))
        except RemoteError as error:
            raise (MissingDataError if error.is_missing else DatasetError)(
                f"cannot read the annotation: {error}"
            ) from error
        yield here


def bucket_of(address: str) -> str:
    """The protocol and the bucket, or the host, of an address."""
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


def listing_of_all(folders: Collection[str], *, most_names: int) -> Iterator[list[str]]:
    """The addresses below the folder that all these folders of one bucket lie in, some at a time.

    Args:
        folders: addresses.
        most_names: after which the listing ends.

    Raises:
        RemoteError: it cannot be listed, as nothing of a web server can.
    """
    scheme = next(iter(folders)).partition("://")[0]
    root = f"{scheme}://{posixpath.commonpath([folder.partition('://')[2] for folder in folders])}"
    names = islice(listed(root), most_names)
    while some := [joined(root, one.name) for one in islice(names, NAMES_AT_ONCE)]:
        yield some


def absent_of(
    addresses: Sequence[str], *, whole_listings: Collection[str] = (), no_listings: Collection[str] = ()
) -> set[str]:
    """Those at which there is no object.

    Of more than 1,000 of web servers, and of buckets that may not be listed, those of a sample are looked at.

    Args:
        addresses: of objects that no listing had.
        whole_listings: buckets whose listing was complete: when none of a few of these is there, none is.
        no_listings: buckets that may not be listed.
    """
    unlisted: list[str] = []
    sampled: list[str] = []
    others: list[str] = []
    for address in addresses:
        bucket = bucket_of(address)
        if is_web(address) or bucket in no_listings:
            sampled.append(address)
        else:
            (unlisted if bucket in whole_listings and _is_listable(address) else others).append(address)
    few = _evenly(unlisted, MOST_ASKED_OF_UNLISTED)
    absent = _asked([*others, *_evenly(sampled, MOST_ASKED_OF_WEB), *few])
    return absent.union(unlisted) if absent.issuperset(few) else absent | _asked(unlisted)


def _is_listable(address: str) -> bool:
    """Whether a listing has an object by just this address: not with a version behind it, nor with empty steps."""
    steps = address.partition("://")[2].split("/")
    return not {"", ".", ".."}.intersection(steps) and not {"?", "#"}.intersection(address)


def _evenly(addresses: Sequence[str], most: int) -> Sequence[str]:
    return addresses[:: max(1, -(-len(addresses) // most))]


def _asked(addresses: Sequence[str]) -> set[str]:
    with ThreadPoolExecutor(NUM_THREADS) as pool:
        found = pool.map(object_exists, addresses)
        return {address for address, is_there in zip(addresses, found, strict=True) if not is_there}

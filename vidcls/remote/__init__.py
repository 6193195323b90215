"""Addresses -> files and bytes of object stores and web servers; the one home of fsspec and universal_pathlib.

::

    vidcls.allow_remote("s3")                        or, on the command line, --allow-remote s3
    place = place_of("s3://bucket/clips.csv")        a UPath; of a path a Path
    with local_copy(place) as path: ...              a whole file, through a cache of bounded size
    upload(Path("best.ckpt"), place.parent / "best.ckpt")

Nothing is asked for without permission; every request has a limit of time and of tries; what fails says which object
it was in one line.
"""

from vidcls.errors import RemoteError
from vidcls.remote.addresses import is_address, is_web, shown
from vidcls.remote.listing import ListedName, listed
from vidcls.remote.permission import allow_remote, allowed_remote, check_allowed
from vidcls.remote.places import is_remote, place_of
from vidcls.remote.transfer import exists, kept_copy, local_copy, object_exists, origin_of, read_bytes, upload

__all__ = [
    "ListedName",
    "RemoteError",
    "allow_remote",
    "allowed_remote",
    "check_allowed",
    "exists",
    "is_address",
    "is_remote",
    "is_web",
    "kept_copy",
    "listed",
    "local_copy",
    "object_exists",
    "origin_of",
    "place_of",
    "read_bytes",
    "shown",
    "upload",
]

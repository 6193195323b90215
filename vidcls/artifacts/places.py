"""The name of a video -> where its file lies below a folder, and never outside of it."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import TYPE_CHECKING, TypeVar, cast

from vidcls.errors import DatasetError

if TYPE_CHECKING:
    from vidcls.remote.places import Place

AnyPlace = TypeVar("AnyPlace", bound="Place")


def path_inside(root: AnyPlace, name: str, suffix: str = "") -> AnyPlace:
    """The file of a record's name below root.

    Raises:
        DatasetError: the name leads out of root.
    """
    relative = PurePath(name)
    if not name or relative.is_absolute() or relative.drive or ".." in relative.parts or "\0" in name:
        raise DatasetError(
            f"the video name {name!r} leads out of the folder {root}: names must be relative, without .."
        )
    return cast("AnyPlace", root / (name + suffix))


def place_inside(root: AnyPlace, name: str, suffix: str = "") -> AnyPlace:
    """The same for a file that is to be written: links in the folders below root are followed, and must stay in it.

    Raises:
        DatasetError: the name leads out of root, or a link does.
    """
    place = path_inside(root, name, suffix)
    if isinstance(place, Path) and isinstance(root, Path) and not place.parent.resolve().is_relative_to(root.resolve()):
        raise DatasetError(
            f"{place.parent}: is a link that leads out of {root}, and nothing is written there: remove the link"
        )
    return place

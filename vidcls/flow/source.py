"""What the loader calls: any place where flow fields of known videos lie."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Protocol

from torch import Tensor

from vidcls.errors import FlowError
from vidcls.flow.settings import FlowSettings
from vidcls.types import VideoRecord


class FlowSource(Protocol):
    """Stored flow by record; can be pickled to loader workers, keeps no file open between calls."""

    @property
    def settings(self) -> FlowSettings:
        """How the fields were made."""

    def num_fields(self, record: VideoRecord) -> int:
        """Number of fields of this video: one less than it has frames. FlowError as in :meth:`fields`."""

    def fields(self, record: VideoRecord, indices: Sequence[int]) -> Tensor:
        """The fields at ``indices`` in the order asked, ``(T, 2, h, w)`` float32 px at the stored size.

        Raises:
            FlowError: there is no flow of this video, or it is damaged or was made from another one.
            IndexError: there is no such field.
        """


def path_inside(root: Path, name: str, suffix: str = "") -> Path:
    """The file of a record's name below root.

    Raises:
        FlowError: the name leads out of root.
    """
    relative = PurePath(name)
    if not name or relative.is_absolute() or relative.drive or ".." in relative.parts or "\0" in name:
        raise FlowError(f"the video name {name!r} leads out of the folder {root}: names must be relative, without ..")
    return root / (name + suffix)


def place_inside(root: Path, name: str, suffix: str = "") -> Path:
    """The same for a file that is to be written: links in the folders below root are followed, and must stay in it.

    Raises:
        FlowError: the name leads out of root, or a link does.
    """
    place = path_inside(root, name, suffix)
    if not place.parent.resolve().is_relative_to(root.resolve()):
        raise FlowError(
            f"{place.parent}: is a link that leads out of {root}, and nothing is written there: remove the link"
        )
    return place

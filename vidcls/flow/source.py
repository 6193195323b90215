"""What the loader calls: any place where flow fields of known videos lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

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

"""Flow fields that several windows of one video have in common -> each computed once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

Field = TypeVar("Field")


class SharedFields(Generic[Field]):
    """The fields of the last window, by the frame that they lead from; windows come in order of time.

    Args:
        first: number of the frame, in the whole video, that counts as 0 here.
        known: fields by the number of their frame in the whole video; shared with those counted from another frame.
    """

    def __init__(self, first: int = 0, known: dict[int, Field] | None = None) -> None:
        self.first = first
        self._known: dict[int, Field] = {} if known is None else known
        self.num_computed = 0

    def counted_from(self, first: int) -> SharedFields[Field]:
        """The same fields where frame 0 is frame ``first`` of the whole video."""
        return SharedFields(first, self._known)

    def get(self, indices: Sequence[int], compute: Callable[[list[int]], Iterable[Field]]) -> list[Field]:
        """The fields at rising ``indices``; those that are not known are computed, all at once.

        Fields before the first of them are forgotten: no later window has them.
        """
        missing = [index for index in indices if index + self.first not in self._known]
        if missing:
            computed = compute(missing)
            self._known.update(zip((index + self.first for index in missing), computed, strict=True))
            self.num_computed += len(missing)
        for index in [index for index in self._known if index < indices[0] + self.first]:
            del self._known[index]
        return [self._known[index + self.first] for index in indices]


def shared_fields_of(video: object) -> SharedFields | None:
    """Those of a video, or of the frames in memory that it is opened from; None where it shares none."""
    found = getattr(video, "shared_fields", None)
    if found is None:
        found = getattr(getattr(video, "source", None), "shared_fields", None)
    return found

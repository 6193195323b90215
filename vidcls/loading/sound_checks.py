"""The videos of a split -> an error where a model is to hear them and none of them has sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vidcls.errors import DatasetError, DecodeError
from vidcls.types import Split, VideoRecord
from vidcls.video.sound import has_sound
from vidcls.video.source import VideoSource


def check_heard(records: Sequence[VideoRecord], split: Split, known_bad: Mapping[VideoSource, str]) -> None:
    """Look for a video that has a sound track; the first one ends the search.

    Args:
        records: the videos of the split.
        split: which one it is.
        known_bad: files that are known to be unreadable.

    Raises:
        DatasetError: none has.
    """
    sources = dict.fromkeys(record.source for record in records)
    if not any(_is_heard(source) for source in sources if source not in known_bad):
        raise DatasetError(
            f"none of the {len(sources)} videos of the {split} split has sound, which this model hears: copies made by "
            "vidcls data prepare have lost theirs; use videos with sound, or a model without an audio stream"
        )


def _is_heard(source: VideoSource) -> bool:
    try:
        return has_sound(source)
    except DecodeError:
        return False  # the loader says so, or skips it as the user chose

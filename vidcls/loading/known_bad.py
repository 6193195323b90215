"""Files that an earlier check found unreadable -> an error before a training starts, or what it passes over."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from vidcls.checks.cache import known_bad
from vidcls.errors import DatasetError
from vidcls.loading.clip_dataset import BadTestVideos, BadVideos
from vidcls.types import VideoRecord
from vidcls.video.reader import Backend
from vidcls.video.source import VideoSource

_log = logging.getLogger(__name__)


def refuse_known_bad(
    records: Sequence[VideoRecord],
    *,
    bad_videos: BadVideos,
    bad_test_videos: BadTestVideos = "wrong",
    decoder: Backend | None = None,
) -> dict[VideoSource, str]:
    """The files that are known to be unreadable, with the reasons, where a run goes on without them.

    They stay in the list of videos, so that the clips of all others are the same whether or not a check was run, and
    on every machine; but they are not opened, so that one that crashes or hangs does no harm. Each counts as skipped
    when its turn comes.

    Args:
        records: the videos that will be read.
        bad_videos: ``error`` refuses them in the training split.
        bad_test_videos: ``error`` refuses them in the other splits.
        decoder: the one that they are read with; None for all in turn.

    Raises:
        DatasetError: there are such files, and they may not be passed over.
    """
    bad = known_bad(records, decoder=decoder)
    refusing = {"train": bad_videos == "error"}
    fatal = [r for r in records if r.source in bad and refusing.get(r.split, bad_test_videos == "error")]
    if fatal:
        more = f", and {len(fatal) - 1} more files" if len(fatal) > 1 else ""
        way_out = "leave them out (vidcls data check SOURCE --fix_list FILE writes a list without them)"
        is_train = fatal[0].split == "train"
        way_out += ", or set " + ("--data.bad_videos skip" if is_train else "--data.bad_test_videos wrong")
        raise DatasetError(
            f"{fatal[0].source}: cannot be used, as an earlier check found ({bad[fatal[0].source]}){more}: {way_out}"
        )
    if bad:
        first = next(iter(bad))
        _log.info("%d videos are known to be unreadable and are not opened, such as %s", len(bad), first)
    return bad

"""Records -> how long their videos are beside a clip, and their frame rates, without decoding them.

A check of the data set may have found it out before. Of the others some are opened, in a process of its own, for a
second or so: a file that crashes its decoder, or never opens, does not harm who asks.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection

from vidcls.checks.cache import CheckCache, default_folder
from vidcls.checks.parts import num_frames_of
from vidcls.clips.settings import InputSettings
from vidcls.errors import VidclsError
from vidcls.types import VideoRecord
from vidcls.video import open_video
from vidcls.video.health import Health
from vidcls.video.reader import Backend
from vidcls.video.source import LocalFile, VideoSource

MOST_SECONDS = 1.0
START_SHARE = 3.0  # of that time until the first is open, where the decoder is imported too
MOST_OPENED = 200
MOST_REMEMBERED = 5000  # whose date is compared with that of the check


@dataclass(frozen=True)
class Length:
    """How long a video is.

    Args:
        num_frames: frames.
        fps: frames per second, 0 where the file states none.
    """

    num_frames: int
    fps: float


@dataclass(frozen=True)
class ClipLengths:
    """How long the videos of a data set are.

    Args:
        lengths: of those that are known.
        num_videos: all of them.
        settings: what a clip is.
    """

    lengths: Sequence[Length]
    num_videos: int
    settings: InputSettings

    @property
    def num_short(self) -> int:
        """Videos, of those that are known, that are shorter than a clip."""
        return sum(length.num_frames < self.settings.span_frames(length.fps) for length in self.lengths)

    @property
    def spans(self) -> tuple[int, int]:
        """Frames that a clip spans: least and most, where the stride is in seconds and frame rates differ."""
        spans = [self.settings.span_frames(length.fps) for length in self.lengths]
        return min(spans), max(spans)


def clip_lengths(
    records: Sequence[VideoRecord],
    settings: InputSettings,
    *,
    most_opened: int = MOST_OPENED,
    most_seconds: float = MOST_SECONDS,
    unusable: Mapping[VideoSource, str] | None = None,
) -> ClipLengths:
    """What is known of the videos, or found out by a look at some.

    Args:
        records: the videos.
        settings: what a clip is.
        most_opened: files to open.
        most_seconds: for all of them, from the first on.
        unusable: files that are not opened.
    """
    drawn = random.Random(0).sample(records, min(len(records), MOST_REMEMBERED))
    cache = CheckCache(default_folder(), decoder=settings.decoder)
    lengths: list[Length] = []
    unknown: list[VideoRecord] = []
    for record in drawn:
        checked = cache.find(record.source)
        if checked is not None and not checked.health.fault:
            lengths.append(Length(num_frames_of(record.part, checked.health), checked.health.fps))
        elif checked is None and isinstance(record.source, LocalFile) and record.source not in (unusable or {}):
            unknown.append(record)
    lengths += _opened(unknown[:most_opened], settings.decoder, most_seconds)
    return ClipLengths(lengths, len(records), settings)


def _opened(records: Sequence[VideoRecord], decoder: Backend | None, most_seconds: float) -> list[Length]:
    """The lengths of those that can be opened in time; of none where a process cannot be started at once."""
    if not records or sys.platform != "linux":
        return []
    context = multiprocessing.get_context("fork")  # as loaders start theirs; any other start takes seconds
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_open_all, args=(records, decoder, sender), daemon=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which the process does not use
        process.start()
    sender.close()
    found: list[Length] = []
    end = time.monotonic() + START_SHARE * most_seconds
    try:
        while receiver.poll(max(0.0, end - time.monotonic())):
            found.append(receiver.recv())
            if len(found) == 1:
                end = time.monotonic() + most_seconds
    except EOFError:  # it is done, or dead
        pass
    finally:
        process.kill()
        process.join(1.0)  # one that hangs in a read of a remote disk ends when that does
        receiver.close()
    return found


def _open_all(records: Sequence[VideoRecord], decoder: Backend | None, sender: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what decoders say of single files
    warnings.simplefilter("ignore")
    for record in records:
        try:
            with open_video(record.source, backend=decoder) as video:
                health = Health(num_frames=video.num_frames, fps=video.fps)
            sender.send(Length(num_frames_of(record.part, health), health.fps))
        except (VidclsError, OSError):  # the training says which file it cannot read
            continue
    sender.close()

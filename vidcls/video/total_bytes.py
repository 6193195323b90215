"""Videos -> how many bytes they have together."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from vidcls.video.remote_file import RemoteFile
from vidcls.video.source import VideoSource

MOST_ASKED = 256  # of those at addresses, where each answer takes as long as reading a small video
NUM_THREADS = 16


def total_bytes_of(sources: Sequence[VideoSource]) -> int:
    """All bytes of those that are there; of many at addresses an estimate, by some that are spread evenly.

    Raises:
        DecodeError: a server cannot be asked.
    """
    remote = [source for source in sources if isinstance(source, RemoteFile)]
    here = sum(map(_num_bytes, (source for source in sources if not isinstance(source, RemoteFile))))
    asked = [remote[k * len(remote) // MOST_ASKED] for k in range(MOST_ASKED)] if len(remote) > MOST_ASKED else remote
    if not asked:
        return here
    with ThreadPoolExecutor(NUM_THREADS) as pool:
        return here + sum(pool.map(_num_bytes, asked)) * len(remote) // len(asked)


def _num_bytes(source: VideoSource) -> int:
    return (source.stamp() or (0, 0))[0]

"""A job of a process and a number of bytes -> its result, or a refusal where it takes more memory than that."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from vidcls.serve.limits import MEBIBYTE
from vidcls.serve.reading import ReadSettings
from vidcls.serve.refusal import Refusal
from vidcls.video.source import VideoSource

Result = TypeVar("Result")
_SHORT = re.compile(r"allocate memory|insufficient memory|out of memory|bad_alloc", re.IGNORECASE)
"""What FFmpeg, PyTorch, OpenCV and C++ say where memory is refused to them."""
_is_limited = False  # of this process


def read_in_memory(
    job: Callable[[VideoSource, ReadSettings], Result], source: VideoSource, settings: ReadSettings
) -> Result:
    """``job(source, settings)``, which may take so much more memory than its process had before its first job.

    Raises:
        Refusal: it took more.
    """
    most_bytes = settings.limits.max_memory_bytes
    _limit(most_bytes)
    try:
        return job(source, settings)
    except Exception as error:
        if not _is_short(error):
            raise
        words = f"takes more than {most_bytes / MEBIBYTE:,.0f} MiB of memory to read, which this server gives a video"
        raise Refusal(422, "memory", f"{source.name}: {words}: send a shorter or smaller one") from error


def _limit(most_bytes: int) -> None:
    """Limit this process for good; on Linux alone, as other systems have no limit that counts what is used."""
    global _is_limited
    if _is_limited or sys.platform != "linux":
        return
    import resource

    found = re.search(r"^VmData:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    if found is None:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = int(found[1]) * 1024 + most_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    _is_limited = True


def _is_short(error: BaseException) -> bool:
    each: BaseException | None = error
    while each is not None:
        if isinstance(each, MemoryError) or _SHORT.search(str(each)):
            return True
        each = each.__cause__ or each.__context__
    return False

"""Reads videos as the processes of a server do, with the faults that the names of the videos ask for."""

from __future__ import annotations

import os
import signal
import time

import numpy as np

from vidcls.serve.reading import ReadSettings, ReadViews, read_views
from vidcls.video.source import VideoSource


def read_or_fail(source: VideoSource, settings: ReadSettings) -> ReadViews:
    """Reads, but as the name says: ``crash`` ends the process as a fault in a decoder does, ``hang`` takes longer than
    any limit, ``slow`` a second, and ``vast`` takes 4 GiB of memory.
    """
    if source.name.startswith("crash"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if source.name.startswith("hang"):
        time.sleep(600)
    if source.name.startswith("slow"):
        time.sleep(1.0)
    if source.name.startswith("vast"):
        np.empty(2**32, np.uint8)
    return read_views(source, settings)

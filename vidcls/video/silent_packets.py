"""The packets of a video stream -> those that give no frame, found by decoding where the list makes it likely.

A packet without a frame is rare, but counted as one it shifts every frame after it, or promises one that nobody can
give. Three kinds are known, all of which the list of packets shows without decoding::

    cut in an open group    K4 B2 B3 P7 B5 B6 ...       B2 and B3 refer to a frame before the cut
    cut inside a group      P5 P6 P7 K8 P9 ...          so do P5 to P7
    empty frames (MPEG-4)   P5 P6 n  P8 ...             n has a header only: "show the last one again"
"""

from __future__ import annotations

import itertools
import statistics
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from vidcls.video.containers import import_av, open_best_stream

MOST_EMPTY_BYTES = 16  # of an MPEG-4 frame that is a header only: 7 as Xvid writes it


class Packet(NamedTuple):
    """What is kept of a packet, in the order of the file; its data is not."""

    pts: int | None
    duration: int
    num_bytes: int
    is_keyframe: bool
    is_discard: bool
    """Decoded but not shown: an edit list cuts it away."""


def starts_without_references(packets: Sequence[Packet]) -> bool:
    """Whether the first frames may depend on others that are not in the file, by their times."""
    first, *others = packets[: _head_len(packets)]
    return not first.is_keyframe or any(
        packet.pts is None or first.pts is None or packet.pts <= first.pts for packet in others if not packet.is_discard
    )


def _may_start_silent(packets: Sequence[Packet]) -> bool:
    """The same, or frames that stand so close to the first one that a multiplexer invented their times.

    It does so for frames that should be shown before the first: 0, 1, 2, 3600, 7200 ticks.
    """
    if starts_without_references(packets):
        return True
    times = sorted(packet.pts for packet in packets[: _head_len(packets)] if packet.pts is not None)
    gaps = [after - before for before, after in itertools.pairwise(times)]
    return bool(gaps) and 2 * gaps[0] < statistics.median(gaps)


def first_key_position(packets: Sequence[Packet]) -> int:
    """The place in the file of the first key frame; 0 where none is marked."""
    return next((i for i, packet in enumerate(packets) if packet.is_keyframe), 0)


def silent_positions(path: Path, packets: Sequence[Packet], codec: str, *, has_times: bool) -> set[int]:
    """The places in the file of the packets that give no frame.

    Args:
        path: the video file.
        packets: all of its best video stream.
        codec: FFmpeg's name of it.
        has_times: False where the times say nothing about the order on the screen, so that the start is decoded.
    """
    if codec == "mpeg4" and any(packet.num_bytes <= MOST_EMPTY_BYTES for packet in packets):
        return _decode(path, packets, len(packets))[0]
    if has_times and not _may_start_silent(packets):
        return set()
    silent, given = _decode(path, packets, _head_len(packets))
    if silent and max(silent) > sorted(given)[min(1, len(given) - 1)]:  # not at the start alone
        return _decode(path, packets, len(packets))[0]
    return silent


def _head_len(packets: Sequence[Packet]) -> int:
    """The number of packets before the second key frame."""
    keys = [i for i, packet in enumerate(packets[1:], start=1) if packet.is_keyframe]
    num_before = 0 if packets[0].is_keyframe else 1
    return keys[num_before] if len(keys) > num_before else len(packets)


def _decode(path: Path, packets: Sequence[Packet], num_packets: int) -> tuple[set[int], set[int]]:
    """The places of the silent ones among the first packets, and of those that gave a frame.

    A packet that is an error is damaged, not silent, unless it stands before the first key frame. Where nothing can
    be decoded, or the decoder does not tell which packet a frame comes from, none is called silent.
    """
    av = import_av()
    first_key = first_key_position(packets)
    came_from: Counter[object] = Counter()
    damaged: set[int] = set()
    position = -1
    container, stream = open_best_stream(path)
    with container:
        context = stream.codec_context
        context.copy_opaque = True
        for packet in container.demux(stream):
            if not packet.size:
                continue
            position += 1
            if position >= num_packets and came_from:
                position -= 1
                break
            packet.opaque = position
            try:
                came_from.update(frame.opaque for frame in packet.decode())
            except av.FFmpegError:
                damaged.add(position)
        with suppress(av.FFmpegError):  # where the file was read to its end, its last packet has done it
            came_from.update(frame.opaque for frame in context.decode(None))
    given = {place for place in came_from if isinstance(place, int)}
    if len(given) < len(came_from) or not given:
        return set(), set()
    shown = {i for i in range(position + 1) if not packets[i].is_discard}
    silent = sorted(shown - given - {i for i in damaged if i >= first_key})
    num_from_others = came_from.total() - len(given)  # frames of theirs that came with the packet before (DivX)
    return set(silent[num_from_others:]), given

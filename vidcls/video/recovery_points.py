"""A key packet of H.264 -> how many frames a decoder that starts there must pass over before its frames are right.

Streams with a gradual refresh (x264's ``intra-refresh``, many cameras and broadcasts) have no picture that can be
decoded alone: a column of every frame is, and a note beside the frame tells after how many of them all columns were.
FFmpeg marks such a frame as a key frame and drops those that are not right yet, so that decoders which count frames
from there on give others than were asked for. The notes are SEI messages "recovery point", ITU-T H.264 D.1.8.
"""

from __future__ import annotations

from collections.abc import Iterator

_SLICES = (1, 2, 5)  # types of NAL units: the picture itself, behind all that is said about it
_SEI = 6
_RECOVERY_POINT = 6


def frames_to_recovery(packet: bytes, extradata: bytes | None) -> int:
    """``recovery_frame_cnt`` of a packet, 0 where it is a picture that can be decoded alone.

    Args:
        packet: one access unit.
        extradata: of the stream, which tells how the units in a packet are set apart.
    """
    for unit in _units(packet, extradata):
        kind = unit[0] & 31 if unit else 0
        if kind in _SLICES:
            return 0
        if kind == _SEI:
            count = _recovery_frame_count(unit[1:].replace(b"\0\0\3", b"\0\0"))
            if count is not None:
                return count
    return 0


def _units(packet: bytes, extradata: bytes | None) -> Iterator[bytes]:
    """The NAL units up to the first slice; of others no more than is needed."""
    if extradata and extradata[0] == 1:  # avcC: each unit behind its length
        num_length_bytes = (extradata[4] & 3) + 1 if len(extradata) > 4 else 4
        at = 0
        while at + num_length_bytes < len(packet):
            length = int.from_bytes(packet[at : at + num_length_bytes], "big")
            at += num_length_bytes
            yield packet[at : at + length]
            at += length
        return
    at = packet.find(b"\0\0\1")
    while at >= 0:
        following = packet.find(b"\0\0\1", at + 3)
        yield packet[at + 3 : following if following >= 0 else len(packet)]
        at = following


def _recovery_frame_count(messages: bytes) -> int | None:
    """The number in the first recovery point among SEI messages; None where there is none."""
    at = 0
    while at + 2 < len(messages):
        kind = num_bytes = 0
        while at < len(messages) and messages[at] == 255:
            kind, at = kind + 255, at + 1
        if at < len(messages):
            kind, at = kind + messages[at], at + 1
        while at < len(messages) and messages[at] == 255:
            num_bytes, at = num_bytes + 255, at + 1
        if at < len(messages):
            num_bytes, at = num_bytes + messages[at], at + 1
        if kind == _RECOVERY_POINT:
            return _exp_golomb(messages[at : at + num_bytes])
        at += num_bytes
    return None


def _exp_golomb(data: bytes) -> int:
    """The first unsigned Exp-Golomb number of some bytes (ITU-T H.264, 9.1); 0 where they are cut off."""
    bits = "".join(f"{byte:08b}" for byte in data[:8])
    num_zeros = len(bits) - len(bits.lstrip("0"))
    digits = bits[num_zeros : 2 * num_zeros + 1]
    return int(digits, 2) - 1 if len(digits) == num_zeros + 1 else 0

"""After how many frames a key packet of H.264 is right: SEI messages written by hand."""

from __future__ import annotations

import pytest

from vidcls.video.recovery_points import frames_to_recovery

AVCC = bytes([1, 100, 0, 31, 0xFF, 0xE1])  # four bytes of length before each unit
PICTURE, IDR, DELIMITER = b"\x41\x9a\x00", b"\x65\x88\x84", b"\x09\x10"
USER_DATA = bytes([5, 20]) + bytes(range(1, 21))


def sei(*messages: bytes) -> bytes:
    return b"\x06" + b"".join(messages) + b"\x80"


def recovery_point(bits: str) -> bytes:
    data = int(bits.ljust(16, "1"), 2).to_bytes(2, "big")
    return bytes([6, len(data)]) + data


def both_forms(*units: bytes) -> list[tuple[bytes, bytes | None]]:
    behind_lengths = b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)
    behind_start_codes = b"".join((b"\0\0\0\1" if i == 0 else b"\0\0\1") + unit for i, unit in enumerate(units))
    return [(behind_lengths, AVCC), (behind_start_codes, None)]


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ((IDR,), 0),
        ((DELIMITER, sei(USER_DATA), IDR), 0),
        ((DELIMITER, sei(recovery_point("1")), PICTURE), 0),  # an open group: right at once
        ((DELIMITER, sei(recovery_point("010")), PICTURE), 1),
        ((DELIMITER, sei(USER_DATA, recovery_point("00111")), PICTURE), 6),
        ((sei(USER_DATA), sei(recovery_point("0001001")), PICTURE), 8),
        ((PICTURE, sei(recovery_point("00111"))), 0),  # behind the picture, of the next one
        ((sei(b"\xff\xff\x01"),), 0),  # damaged
        ((b"", b"\x06"), 0),
    ],
)
def test_the_number_is_read_from_the_message_before_the_picture(units: tuple[bytes, ...], expected: int) -> None:
    for packet, extradata in both_forms(*units):
        assert frames_to_recovery(packet, extradata) == expected


def test_damaged_bytes_are_no_error() -> None:
    packet, extradata = both_forms(sei(USER_DATA, recovery_point("00111")), PICTURE)[0]
    for end in range(len(packet)):
        assert frames_to_recovery(packet[:end], extradata) in (0, 6)
        assert frames_to_recovery(packet[:end], None) == 0

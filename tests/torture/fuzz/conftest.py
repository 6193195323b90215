"""Bytes of an intact file -> bytes of a damaged one, by chance but the same ones every time."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator

import pytest

Damage = Callable[[random.Random, bytes, bytes], bytes]
"""Takes chance, a file, and another file whose bytes may be put into it."""

# Boxes of MP4 that hold boxes, and those whose numbers lead a reader through the file.
PARENTS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf"}
TABLES = {b"stsz", b"stco", b"stts", b"ctts", b"stss", b"stsc", b"stsd", b"elst", b"tkhd", b"mvhd", b"mdhd", b"hdlr"}
CHUNKS = (b"RIFF", b"LIST", b"avih", b"strh", b"strf", b"movi", b"00dc", b"idx1")
EXTREMES = (0, 1, 2, 7, 0xFF, 0xFFFF, 60_000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE, 0xFFFF_FFFF)


def flip_bits(chance: random.Random, content: bytes, other: bytes) -> bytes:
    """1 to 64 bits turned over, half of the time among the first bytes, where the headers are."""
    damaged = bytearray(content)
    reach = min(len(content), 4096) if chance.random() < 0.5 else len(content)
    for _ in range(chance.choice((1, 2, 8, 64))):
        damaged[chance.randrange(reach)] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def cut_off(chance: random.Random, content: bytes, other: bytes) -> bytes:
    """The end is missing, or the beginning."""
    at = chance.randrange(1, len(content))
    return content[:at] if chance.random() < 0.8 else content[at:]


def zero_range(chance: random.Random, content: bytes, other: bytes) -> bytes:
    """A hole, as a lost block of a disk leaves."""
    begin = chance.randrange(len(content))
    length = min(chance.choice((1, 16, 512, 4096)), len(content) - begin)
    return content[:begin] + bytes(length) + content[begin + length :]


def splice_header(chance: random.Random, content: bytes, other: bytes) -> bytes:
    """The beginning of another file before the rest of this one."""
    at = chance.choice((4, 8, 32, 256, 1024, 4096))
    return other[:at] + content[at:]


def swap_chunk(chance: random.Random, content: bytes, other: bytes) -> bytes:
    """A stretch of another file in place of a stretch of this one."""
    length = min(chance.choice((64, 1024, 8192)), len(content), len(other))
    at, source = chance.randrange(len(content) - length + 1), chance.randrange(len(other) - length + 1)
    return content[:at] + other[source : source + length] + content[at + length :]


def drop_or_repeat(chance: random.Random, content: bytes, other: bytes) -> bytes:
    """A stretch is missing, or stands there twice."""
    at, length = chance.randrange(len(content)), chance.choice((1, 3, 100, 5000))
    return content[:at] + content[at + length :] if chance.random() < 0.5 else content[: at + length] + content[at:]


def edit_size(chance: random.Random, content: bytes, other: bytes) -> bytes:
    """The size of a box of MP4, or of a chunk of AVI, is another number."""
    places = [at for at, _, _ in boxes(content)] or [at + 4 for at in chunks(content)]
    return edited(chance, content, places)


def edit_table(chance: random.Random, content: bytes, other: bytes) -> bytes:
    """1 to 4 numbers of a table are others: of MP4's samples, of AVI's headers and index."""
    spans = [(at + 8, size - 8) for at, kind, size in boxes(content) if kind in TABLES]
    spans = spans or [(at + 8, 56 if content[at : at + 4] != b"idx1" else 400) for at in chunks(content)]
    begin, length = chance.choice(spans) if spans else (0, len(content))
    places = range(begin, max(begin + 1, min(begin + length, len(content) - 4)), 2)
    for _ in range(chance.choice((1, 1, 2, 4))):
        content = edited(chance, content, places)
    return content


def promise_much(chance: random.Random, content: bytes, other: bytes) -> bytes:
    """Headers that promise 60,000 x 60,000 px, in the container and in each JPEG picture, or 2^31 frames."""
    damaged = bytearray(content)
    for at, kind, size in boxes(content):
        if kind in (b"stts", b"stsz") and size >= 20:
            struct.pack_into(">I", damaged, at + (12 if kind == b"stts" else 16), 0x7FFF_FFFF)
            if kind == b"stts":
                struct.pack_into(">I", damaged, at + 16, 0x7FFF_FFFF)
        if kind == b"stsd" and size >= 52:
            struct.pack_into(">HH", damaged, at + 48, 60_000, 60_000)
    for at in chunks(content):
        if content[at : at + 4] == b"strf":
            struct.pack_into("<ii", damaged, at + 12, 60_000, 60_000)
        if content[at : at + 4] == b"strh" and chance.random() < 0.5:
            struct.pack_into("<I", damaged, at + 40, 0x7FFF_FFFF)
    at = content.find(b"\xff\xc0\x00\x11")
    while at >= 0:
        struct.pack_into(">HH", damaged, at + 5, 60_000, 60_000)
        at = content.find(b"\xff\xc0\x00\x11", at + 1)
    return bytes(damaged)


def edited(chance: random.Random, content: bytes, places: range | list[int]) -> bytes:
    """The content with the 4 bytes at one of the places replaced."""
    if len(content) < 8 or not places:
        return content
    at = min(chance.choice(places), len(content) - 4)
    was = int.from_bytes(content[at : at + 4], "big")
    near = (was + chance.choice((-8, -1, 1, 8))) % 2**32
    number = chance.choice((*EXTREMES, near, near, chance.getrandbits(32)))
    return content[:at] + number.to_bytes(4, chance.choice(("big", "little"))) + content[at + 4 :]


def boxes(content: bytes, begin: int = 0, end: int | None = None) -> Iterator[tuple[int, bytes, int]]:
    """Where each box of an MP4 file begins, its name and its size; none of another kind of file."""
    end = len(content) if end is None else end
    if begin == 0 and content[4:8] != b"ftyp":
        return
    while begin + 8 <= end:
        size, kind = int.from_bytes(content[begin : begin + 4], "big"), content[begin + 4 : begin + 8]
        if size < 8:
            return
        yield begin, kind, size
        if kind in PARENTS:
            yield from boxes(content, begin + 8, begin + size)
        begin += size


def chunks(content: bytes) -> list[int]:
    """Where the chunks of an AVI file begin; none of another kind of file."""
    if content[:4] != b"RIFF":
        return []
    return [at for name in CHUNKS if (at := content.find(name)) >= 0]


@pytest.fixture(scope="session")
def plain_damages() -> tuple[Damage, ...]:
    """For files of any kind."""
    return (flip_bits, cut_off, zero_range, splice_header, swap_chunk, drop_or_repeat)


@pytest.fixture(scope="session")
def video_damages(plain_damages: tuple[Damage, ...]) -> tuple[Damage, ...]:
    """For video files, those that know MP4 and AVI included."""
    return (*plain_damages, edit_size, edit_size, edit_table, edit_table, promise_much)

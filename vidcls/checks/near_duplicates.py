"""Records and the hashes of their pictures -> videos of the test and the validation that look like a training video.

Clips that were cut from one source video share its background, and often the frame at which they meet; a copy of other
size, length or compression, or a mirrored one, is found too. What was measured, with all pairs of videos compared:

===========================  ====================================  ==================================
data                         found, of the videos that have a      videos with a match of another
                             sibling (same session, same scene)    session, person or scene
===========================  ====================================  ==================================
328 clips of a ceiling       78 %                                  1.8 %
camera, 21 sessions
72 clips of 9 people, half   100 % (the mirrored twins)            none
of them mirrored twins
384 `MovingShapes`           100 %                                 none
===========================  ====================================  ==================================

A hash of 64 bits finds 60 % of the first at 3.4 % false ones, or 88 % at 20 %.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidcls.checks.cache import CheckedVideo
from vidcls.checks.duplicates import group_of
from vidcls.checks.finding import Finding
from vidcls.types import VideoRecord
from vidcls.video.picture_hash import HASH_BITS, NUM_HASHED, hashes_in, mirrored
from vidcls.video.source import VideoSource

MOST_BITS = 20  # that differ between two frames that show the same; see the table above
MOST_PAIRS = 10**10  # of frames that are compared, some 20 s: of more videos fewer frames each
CHUNK = 16  # frames compared with all training frames at a time, so that the table stays in the processor's cache
Known = Mapping[VideoSource, CheckedVideo]


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """A video of the test or validation that looks like a training video.

    Args:
        video: it.
        twin: the training video that looks most like it.
        num_bits: that differ between the two frames most alike, of `HASH_BITS`.
        is_mirrored: whether the one is the other, mirrored left to right.
    """

    video: VideoRecord
    twin: VideoRecord
    num_bits: int
    is_mirrored: bool

    @property
    def line(self) -> str:
        """Both names."""
        how = "mirrored" if self.is_mirrored else f"{self.num_bits} of {HASH_BITS} bits differ"
        return f"{self.video.name} ({self.video.split}) looks like {self.twin.name} ({how})"


def near_duplicates(records: Sequence[VideoRecord], known: Known) -> list[NearDuplicate]:
    """The videos outside of the training split that have a near-duplicate in it, most alike first.

    Copies that have the same content, and videos of one group, are not among them: other findings name those.
    For 10,000 videos it takes seconds.

    Args:
        records: of all splits.
        known: what is known of their files, or of some.
    """
    usable = [r for r in records if r.source in known and known[r.source].health.picture_hashes]
    others = [record for record in usable if record.split != "train"]
    trained = [record for record in usable if record.split == "train"]
    if not others or not trained:
        return []
    most = _frames_each(len(others), len(trained))
    asked, asked_of = _table(others, known, most)
    stored, stored_of = _table(trained, known, most)
    words = np.ascontiguousarray(stored.T)
    found: dict[int, NearDuplicate] = {}
    for is_mirrored, rows in ((False, asked), (True, mirrored(asked))):
        for row, column, num_bits in _alike(rows, words):
            number, twin = int(asked_of[row]), trained[stored_of[column]]
            best = found.get(number)
            if (best is None or num_bits < best.num_bits) and not _is_named_elsewhere(others[number], twin, known):
                found[number] = NearDuplicate(others[number], twin, num_bits, is_mirrored)
    return sorted(found.values(), key=lambda pair: (pair.num_bits, pair.video.split, pair.video.name))


def near_duplicate_findings(records: Sequence[VideoRecord], known: Known) -> Iterator[Finding]:
    """The same for a reader: a problem where no groups say that the videos have nothing to do with each other."""
    pairs = near_duplicates(records, known)
    if not pairs:
        return
    is_grouped = all(pair.video.group is not None and pair.twin.group is not None for pair in pairs)
    remedy = (
        "look at them: where they are of one source, its groups must be one"
        if is_grouped
        else "clips of one source video belong in one split: tell the groups"
    )
    lines = tuple(pair.line for pair in pairs)
    yield Finding("near duplicate", not is_grouped, near_duplicate_title(records, pairs), lines, remedy)


def near_duplicate_title(records: Sequence[VideoRecord], pairs: Sequence[NearDuplicate]) -> str:
    """How many there are, such as ``37 of 44 test videos look like a training video``."""
    counts = []
    for split in ("test", "val"):
        number = sum(pair.video.split == split for pair in pairs)
        if number:
            counts.append(f"{number} of {sum(record.split == split for record in records)} {split}")
    verb = "looks" if len(pairs) == 1 else "look"
    return f"{' and '.join(counts)} videos {verb} like a training video"


def _frames_each(num_asked: int, num_stored: int) -> int:
    """Frames of each video that are compared: of very many videos fewer."""
    most = NUM_HASHED
    while most > 1 and num_asked * num_stored * most * most > MOST_PAIRS:
        most //= 2
    return most


def _table(records: Sequence[VideoRecord], known: Known, most: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """All hashes ``(N, 4)``, and the number of the record that each is of ``(N,)``."""
    tables = [hashes_in(known[record.source].health.picture_hashes) for record in records]
    if most < NUM_HASHED:
        tables = [table[np.unique(np.linspace(0, len(table) - 1, most).astype(int))] for table in tables]
    return np.concatenate(tables), np.repeat(np.arange(len(tables)), [len(table) for table in tables])


def _alike(rows: NDArray[np.uint64], words: NDArray[np.uint64]) -> Iterator[tuple[int, int, int]]:
    """Row, column and bits that differ, of all pairs that differ in few.

    A pair is given up as soon as its first word differs in more, as nearly all do.

    Args:
        rows: ``(N, 4)``.
        words: ``(4, M)``.
    """
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        near = np.bitwise_count(chunk[:, :1] ^ words[0]) <= MOST_BITS  # (n, M)
        row, column = np.divmod(np.flatnonzero(near), near.shape[1])
        num_bits = np.zeros(len(row), dtype=np.uint16)
        for word, known in enumerate(words):
            num_bits = num_bits + np.bitwise_count(chunk[row, word] ^ known[column])
            is_near = num_bits <= MOST_BITS
            row, column, num_bits = row[is_near], column[is_near], num_bits[is_near]
        yield from zip((row + start).tolist(), column.tolist(), num_bits.tolist(), strict=True)


def _is_named_elsewhere(one: VideoRecord, other: VideoRecord, known: Known) -> bool:
    """Whether the two are copies of the same content, or of one group."""
    digests = known[one.source].health.content_digest, known[other.source].health.content_digest
    group = group_of(one)
    return (digests[0] == digests[1] != "") or (group is not None and group == group_of(other))

"""Records -> classes that are missing, uneven, or written in two ways."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations

from vidcls.checks.finding import Finding
from vidcls.types import SPLITS, VideoRecord

UNEVEN = 10  # the largest class has so many times the training videos of the smallest: worth a word
ALIKE = 0.85  # of difflib's ratio: one letter in a word of seven
RARE = 0.1  # of the other class's videos: so few may be a slip of the hand
LEAST_LETTERS = 4


def class_counts(records: Sequence[VideoRecord]) -> dict[str, dict[str, int]]:
    """Videos by class and split, by name."""
    counts: dict[str, dict[str, int]] = {}
    for record in records:
        for name in record.classes:
            counts.setdefault(name, dict.fromkeys(SPLITS, 0))[record.split] += 1
    return dict(sorted(counts.items()))


def lacking_classes(records: Sequence[VideoRecord]) -> Iterator[Finding]:
    """The classes that a split lacks, and the splits that are empty."""
    counts = class_counts(records)
    lines = []
    for split in SPLITS:
        lacking = [label for label, by_split in counts.items() if not by_split[split]]
        if len(lacking) == len(counts):
            lines.append(f"{split}: has no video at all")
        elif lacking:
            lines.append(f"{split}: {', '.join(lacking)}")
    if lines:
        title = "1 split lacks classes" if len(lines) == 1 else f"{len(lines)} splits lack classes"
        yield Finding("lacking class", True, title, tuple(lines), "add videos, or cut the splits again")


def imbalance(records: Sequence[VideoRecord]) -> Iterator[Finding]:
    """The largest and the smallest class, where they are far apart."""
    train = Counter(name for record in records if record.split == "train" for name in record.classes)
    if train and max(train.values()) >= UNEVEN * min(train.values()):
        (most, many), (least, few) = train.most_common()[0], train.most_common()[-1]
        line = f"{most} has {many} training videos, {least} {few}"
        remedy = "see data.class_balanced, and look at the mean class accuracy"
        yield Finding("uneven classes", False, "the classes are uneven", (line,), remedy)


def label_typos(records: Sequence[VideoRecord]) -> Iterator[Finding]:
    """Pairs of labels that may be one label written in two ways."""
    counts = Counter(name for record in records for name in record.classes)
    lines = []
    for one, other in combinations(sorted(counts), 2):
        why = _why_alike(one, other, counts)
        if why:
            lines.append(f"{one!r} ({counts[one]} videos) and {other!r} ({counts[other]}): {why}")
    if lines:
        title = "1 pair of labels may be one label" if len(lines) == 1 else f"{len(lines)} pairs of labels may be one"
        yield Finding("alike labels", True, title, tuple(lines), "write each label in one way")


def _why_alike(one: str, other: str, counts: Counter[str]) -> str:
    """Why two labels may be the same one; empty where they need not be."""
    a, b = _plain(one), _plain(other)
    if a == b:
        return "they differ in case, blanks, hyphens or underscores alone"
    if re.sub(r"\D", "", a) != re.sub(r"\D", "", b) or min(len(a), len(b)) < LEAST_LETTERS:
        return ""  # wave1 and wave2 are meant
    if len(a) == len(b):
        places = [k for k in range(len(a)) if a[k] != b[k]]
        if len(places) == 2 and places[1] == places[0] + 1 and a[places[0]] == b[places[1]] and sorted(a) == sorted(b):
            return "two letters have changed places"
    if min(counts[one], counts[other]) > max(1, RARE * max(counts[one], counts[other])):
        return ""
    matcher = difflib.SequenceMatcher(None, a, b, autojunk=False)
    if matcher.real_quick_ratio() >= ALIKE and matcher.quick_ratio() >= ALIKE and matcher.ratio() >= ALIKE:
        return "they are nearly alike, and one of them is rare"
    return ""


def _plain(label: str) -> str:
    return re.sub(r"[\s_\-]+", "", label).casefold()

"""Names of folders, files and cells -> the split that each of them means, where that is certain."""

from __future__ import annotations

import re
from collections.abc import Iterable

from vidcls.errors import DatasetError
from vidcls.types import Split

_WORDS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validate": "val",
    "validation": "val",
    "dev": "val",
    "devel": "val",
    "development": "val",
    "test": "test",
    "testing": "test",
}
_TRAIN_AND_VAL = ("trainval", "trainvalid", "trainvalidation", "traindev")
_VAL_OR_TEST = ("eval", "evaluate", "evaluation")
_ALL_WORDS = (*_WORDS, *_TRAIN_AND_VAL, *_VAL_OR_TEST)
# What such names carry besides: train_set, videos_train, Test-Split, training_data.
_FILLERS = frozenset({"set", "split", "part", "subset", "data", "dataset", "video", "videos", "clip", "clips"})
_ENDINGS = ("dataset", "data", "sets", "set", "split")


def splits_of(names: Iterable[str]) -> dict[str, Split]:
    """Those of the names that mean a split, with the split; upper and lower case are the same.

    ``train_set``, ``Testing`` and ``videos_val`` are understood, and so are names that have something in common, as
    ``ucf_train`` and ``ucf_test``. ``trainval`` is the training split where there is no other and no validation;
    ``eval`` is what is left of validation and test.

    >>> splits_of(["Training", "testing", "walk"])
    {'Training': 'train', 'testing': 'test'}
    >>> splits_of(["train", "val", "eval"])["eval"]
    'test'

    Raises:
        DatasetError: a name could mean two splits.
    """
    words = _words(list(dict.fromkeys(names)))
    certain = {name: _WORDS[word] for name, word in words.items() if word in _WORDS}
    found: dict[str, Split] = {}
    for name, word in words.items():
        if word in _TRAIN_AND_VAL:
            others = [other for other, split in certain.items() if split != "test"]
            if others:
                raise DatasetError(
                    f"{name} beside {', '.join(others)}: the first is usually training and validation together; keep "
                    "either it or the others"
                )
            found[name] = "train"
        elif word in _VAL_OR_TEST:
            free: list[Split] = [split for split in ("val", "test") if split not in certain.values()]
            if len(free) != 1:
                raise DatasetError(
                    f"{name} could mean validation or test"
                    + ("" if free else ", and both are there")
                    + ": rename it to val or test"
                )
            found[name] = free[0]
        else:
            found[name] = certain[name]
    return found


def _words(names: list[str]) -> dict[str, str]:
    """The word for a split in each name; names without one, or with more besides that others lack, are left out."""
    parts = {name: _parts(name) for name in names}
    found = {name: word for name, (word, rest) in parts.items() if word is not None and not rest}
    if not found and len(names) > 1 and all(word is not None for word, _ in parts.values()):
        in_common = {rest for _, rest in parts.values()}
        if len(in_common) == 1 and any(_WORDS.get(str(word)) == "train" for word, _ in parts.values()):
            return {name: str(word) for name, (word, _) in parts.items()}
    return found


def _parts(name: str) -> tuple[str | None, tuple[str, ...]]:
    """The one word for a split in a name, or None, and what else the name says."""
    tokens = [_without_ending(token) for token in re.split(r"[\W_]+", name.lower()) if token]
    rest = tuple(token for token in tokens if token not in _ALL_WORDS and token not in _FILLERS)
    words = [token for token in tokens if token in _ALL_WORDS]
    return (words[0] if len(words) == 1 else None), rest


def _without_ending(token: str) -> str:
    for ending in _ENDINGS:
        if token.removesuffix(ending) in _ALL_WORDS:
            return token.removesuffix(ending)
    return token

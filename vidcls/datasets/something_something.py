"""Something-Something V2 with its official json files -> records."""

from __future__ import annotations

from functools import partial
from os import PathLike
from typing import TYPE_CHECKING

from vidcls.datasets.base import VideoDataset, checked_records
from vidcls.datasets.checks import Faults, first_few
from vidcls.datasets.entries import Entry
from vidcls.datasets.places import existing_folder, is_file, joined
from vidcls.datasets.splits import check_fractions
from vidcls.errors import DatasetError
from vidcls.remote import local_copy
from vidcls.settings_file import read_json
from vidcls.types import Split

if TYPE_CHECKING:
    from vidcls.remote.places import Place

_PREFIX = "something-something-v2-"  # of the first release; the later one calls the files labels.json, train.json, ...


class SomethingSomething(VideoDataset):
    """Something-Something V2 (Goyal et al., "The 'something something' video database ...", ICCV 2017).

    Expects ``root/78687.webm`` and, in ``annotations``, the official ``labels.json``, ``train.json`` and
    ``validation.json``, with or without the prefix ``something-something-v2-``. The class is the template without its
    brackets, as in labels.json: "Holding [something] next to [something]" is "Holding something next to something".
    The official test has no labels, so papers report on the official validation: it is ``test`` here, and ``val`` is
    cut from train, since validation is never the test set. Nothing is known of who filmed what, so there are no
    groups.

    Args:
        root: folder of the videos.
        annotations: folder of the json files.
        val_fraction: share of the training videos for validation.
        seed: of that cut.

    Raises:
        DatasetError: a file is missing or not as described, or a template is not in labels.json.
    """

    def __init__(
        self, root: str | PathLike[str], annotations: str | PathLike[str], *, val_fraction: float = 0.05, seed: int = 0
    ) -> None:
        check_fractions(val_fraction)
        folder = existing_folder(root, what="folder of the videos")
        lists = existing_folder(annotations, what="folder of the json files")
        file, labels = _read(lists, "labels")
        if not isinstance(labels, dict):
            raise DatasetError(f"{file}: expected an object of class names, as in the official labels.json")
        known = {str(label) for label in labels}
        entries = [
            *_entries(folder, lists, "train", "train", known),
            *_entries(folder, lists, "validation", "test", known),
        ]
        faults = Faults()
        records = checked_records(entries, source=str(lists), val_fraction=val_fraction, seed=seed, faults=faults)
        super().__init__(folder, records, faults=faults)


def _read(lists: Place, stem: str) -> tuple[Place, object]:
    candidates = [lists / f"{_PREFIX}{stem}.json", lists / f"{stem}.json"]
    for file in candidates:
        if is_file(file):
            try:
                with local_copy(file) as local:
                    return file, read_json(local, object_of=partial(_unique, file))
            except ValueError as error:  # not json, or not UTF-8
                raise DatasetError(f"{file}: not valid json: {error}; download it again") from error
    raise DatasetError(
        f"no {stem}.json in {lists}: expected {' or '.join(file.name for file in candidates)}; check the path"
    )


def _unique(file: Place, pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A json object; json itself would let the last of two equal names win."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise DatasetError(f"{file}: {twice!r} is there twice; keep one")
    return found


def _entries(root: Place, lists: Place, stem: str, split: Split, known: set[str]) -> list[Entry]:
    file, items = _read(lists, stem)
    if not isinstance(items, list):
        raise DatasetError(f"{file}: expected a list of videos, as in the official {stem}.json")
    entries: list[Entry] = []
    for number, item in enumerate(items, start=1):
        if (
            not isinstance(item, dict)
            or not isinstance(item.get("id"), str | int)
            or not isinstance(item.get("template"), str)
        ):
            raise DatasetError(f"{file}: item {number} has no id or no template: {str(item)[:80]}")
        label = item["template"].replace("[", "").replace("]", "")
        if label not in known:
            raise DatasetError(
                f"{file}: item {number} has the unknown label {label!r}; labels.json has {first_few(sorted(known))}"
            )
        name = f"{item['id']}.webm"
        entries.append(Entry(joined(root, name), label, name, split, source=f"{file} item", line=number))
    return entries

"""A run -> videos of its test split, some of each class, that a page can offer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from vidcls.serve.page import Example
from vidcls.types import VideoRecord
from vidcls.video.source import LocalFile

NUM_EXAMPLES = 8
MOST_RECORDS = 5000  # to look through, of a split of millions


def examples_of(run: Path) -> list[Example]:
    """Up to eight videos of the test split, of as many classes as there are.

    Raises:
        VidclsError: the configuration of the run, or its data set, cannot be read.
    """
    from vidcls.loading.from_config import videos_of
    from vidcls.runs.folder import CONFIG_FILE
    from vidcls.settings_file import read_settings, section

    config = run / CONFIG_FILE
    if not config.is_file():
        return []
    records = videos_of(section(read_settings(config), "data", config))
    return spread_over_classes(record for record in records if record.split == "test")


def spread_over_classes(records: Iterable[VideoRecord]) -> list[Example]:
    """The first of each class, then the second of each, among files of this machine."""
    by_class: dict[str, list[Example]] = defaultdict(list)
    for record in islice(records, MOST_RECORDS):
        is_whole = record.part is None  # of a part the page would show more
        if isinstance(record.source, LocalFile) and is_whole and len(by_class[record.label]) < NUM_EXAMPLES:
            by_class[record.label].append(Example(record.source.path, record.label))
    found = [examples[k] for k in range(NUM_EXAMPLES) for examples in by_class.values() if k < len(examples)]
    return [one for one in found if one.path.is_file()][:NUM_EXAMPLES]

"""Options of a command that has to know what its video files are -> what a check found out about them."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vidcls.cli.argument_parser import positive_seconds
from vidcls.cli.pool_options import chosen_pool
from vidcls.types import VideoRecord

if TYPE_CHECKING:
    from vidcls.checks.files import CheckedFiles
    from vidcls.video.reader import Backend

DEFAULT_SECONDS = 60.0


def add_check_options(parser: ArgumentParser) -> None:
    """Add ``--cache``, ``--recheck`` and ``--time_limit``."""
    add = parser.add_argument
    add(
        "--cache",
        metavar="FOLDER",
        help="where it is kept what was found, or none (default, where a training looks: vidcls/checked in "
        "$XDG_CACHE_HOME or ~/.cache)",
    )
    add("--recheck", action="store_true", help="open all files, whatever is known of them")
    add(
        "--time_limit",
        type=positive_seconds,
        default=DEFAULT_SECONDS,
        metavar="SECONDS",
        help="after which a file counts as one that hangs; of a video that takes more than half of it, the rest is "
        "passed over but for its end (default 60)",
    )


def chosen_cache_folder(options: Namespace) -> Path | None:
    """Where it is kept what was found; None for nowhere.

    Raises:
        ConfigurationError: it is given, and cannot be written to.
    """
    from vidcls.checks.cache import default_folder
    from vidcls.outputs import check_place

    if options.cache is None:
        return default_folder()
    if options.cache.lower() == "none":
        return None
    folder = Path(options.cache).expanduser()
    check_place(folder / "any", [], option="--cache")
    return folder


def checked_files(
    records: Sequence[VideoRecord], options: Namespace, folder: Path | None, *, decoder: Backend | None
) -> CheckedFiles:
    """What is known of every file, or is found out now, with a bar.

    Args:
        records: the videos.
        options: with those above, and those of the pool.
        folder: of the cache.
        decoder: the one that reads them; None for all in turn.
    """
    from tqdm import tqdm

    from vidcls.checks.cache import CheckCache
    from vidcls.checks.files import check_files

    total = len({record.source for record in records})
    with tqdm(total=total, desc="checking", unit="video", disable=None, file=sys.stderr) as bar:
        return check_files(
            records,
            CheckCache(folder, decoder=decoder),
            pool=chosen_pool(options),
            most_seconds=options.time_limit,
            progress=bar.update,
            recheck=options.recheck,
        )

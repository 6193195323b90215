"""fit, validate and test: what is wrong with the words is said at once, and the rest is done by `vidcls.cli.training`.

To import that takes seconds, so that nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from vidcls.cli.chosen_dataset import CONFIG_OF, dataset_of_words, with_one_dataset
from vidcls.cli.option_names import check_options, refuse_strays
from vidcls.cli.places import places_of
from vidcls.cli.words import Words
from vidcls.errors import DatasetError

# The data sets that write their own videos; the others need a folder or a list that exists.
WRITES_VIDEOS = ("MovingShapes",)


def run(command: str, arguments: Sequence[str]) -> int:
    """Run ``fit``, ``validate`` or ``test``; returns the exit status.

    Raises:
        VidclsError: bad input; one line.
    """
    words = Words(arguments)
    if not words.asks_for_help:
        check(command, words)
    from vidcls.cli.training import run as run_trainer

    return run_trainer(command, words)


fit, validate, test = (partial(run, command) for command in ("fit", "validate", "test"))


def check(command: str, words: Words) -> None:
    """Refuse what can be seen to be wrong before anything is imported that takes seconds.

    Raises:
        VidclsError: an option, a file, a folder, a checkpoint or a class that does not exist.
    """
    refuse_strays(words)
    places_of(command, words)
    check_options(with_one_dataset(words))
    _check_videos(words)


def _check_videos(words: Words) -> None:
    """Refuse a folder or list of videos that was typed and does not exist, as its data set would in the end."""
    dataset = dataset_of_words(words)
    if dataset not in CONFIG_OF or dataset in WRITES_VIDEOS:
        return
    root, path = (words.last(f"--data.dataset.{name}", f"--data.dataset.init_args.{name}") for name in ("root", "path"))
    if root is not None and not (folder := Path(root).expanduser()).exists():
        raise DatasetError(f"expected a folder, but {folder.absolute()} does not exist; check the path")
    if path is not None and not Path(path).exists():
        raise DatasetError(f"no csv file at {path}: expected a file with the columns path,label; check the path")

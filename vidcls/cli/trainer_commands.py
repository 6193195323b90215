"""fit, validate and test: what is wrong with the words is said at once, and the rest is done by `vidcls.cli.training`.

To import that takes seconds, so that nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from vidcls.cli.chosen_dataset import with_one_dataset
from vidcls.cli.class_help import class_help, help_asked
from vidcls.cli.engine import engine_of, without_engine
from vidcls.cli.option_names import check_options, check_videos, refuse_strays
from vidcls.cli.places import Places, places_of
from vidcls.cli.short_help import SHORT_HELP
from vidcls.cli.words import HELP, Words
from vidcls.launched import end_with_parent

ALL = "all"  # behind --help


def run(command: str, arguments: Sequence[str]) -> int:
    """Run ``fit``, ``validate`` or ``test``; returns the exit status.

    Raises:
        VidclsError: bad input; one line.
    """
    end_with_parent()
    words = Words(arguments)
    wanted = help_asked(words)
    if wanted is not None:
        print(class_help(*wanted, words))
        return 0
    if words.asks_for_help and ALL not in arguments:
        print(SHORT_HELP[command])
        return 0
    if words.asks_for_help:
        words = Words(HELP[:1])
    engine = engine_of(command, words)
    words = without_engine(words)
    places = None if words.asks_for_help else check(command, words)
    if engine is not None and places is not None:
        from vidcls.cli.ray_fit import fit_on_ray

        return fit_on_ray(words, places, engine)
    from vidcls.cli.training import run as run_trainer

    return run_trainer(command, words, places)


fit, validate, test = (partial(run, command) for command in ("fit", "validate", "test"))


def check(command: str, words: Words) -> Places:
    """Refuse what can be seen to be wrong before anything is imported that takes seconds.

    Returns:
        where the command works.

    Raises:
        VidclsError: an option, a file, a folder, a checkpoint or a class that does not exist.
    """
    refuse_strays(words)
    places = places_of(command, words)
    check_options(with_one_dataset(words))
    check_videos(words)
    return places

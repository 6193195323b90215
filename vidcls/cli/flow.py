"""``vidcls flow``: what is wrong with its words is said at once, and the rest is done by `vidcls.cli.flow_run`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vidcls.cli.argument_parser import spelled
from vidcls.cli.chosen_dataset import CONFIG_OF, DATASET, dataset_of_words, with_one_dataset
from vidcls.cli.option_names import check_dataset_options, check_videos
from vidcls.cli.pool_options import ENGINE_OPTIONS, check_engine_words
from vidcls.cli.words import CONFIG, Words
from vidcls.errors import ConfigurationError
from vidcls.remote import check_allowed, is_address
from vidcls.spelling import did_you_mean

DESCRIPTION = """Compute the optical flow of all videos of a data set or a folder once, and store it.

The same command again goes on where it stopped: videos that are done stay untouched. Exit status: 0 all done, 1 some
videos failed (listed at the end and in failures.csv in the store), 2 bad usage or a store of other settings.

  vidcls flow --data.dataset VideoCsv --data.dataset.path clips.csv --output flow --num_workers 4
  vidcls flow --config two_stream --output flow
  vidcls flow --data ucf101 --output flow
  vidcls flow --folder videos --output flow --method farneback --short_side 128
  vidcls flow --folder videos --output flow --verify
  vidcls flow --folder videos --output flow --shard 2/3    at the same time as 1/3 and 3/3, here or on other machines
  vidcls flow show VIDEO --output flow.mp4                 look at it (see vidcls flow show --help)

In a clone, python scripts/precompute_flow.py is the same.
"""
OPTIONS = (
    "--help",
    "--config",
    "--data",
    DATASET[0],
    "--folder",
    "--output",
    "--method",
    "--bound",
    "--short_side",
    "--weights",
    "--decoder",
    "--num_workers",
    *ENGINE_OPTIONS,
    "--shard",
    "--device",
    "--verify",
)


def main(words: Sequence[str]) -> int:
    """Compute or verify; returns the exit status.

    Raises:
        VidclsError: bad usage, or a store of other settings; one line.
    """
    words = ["--output" if word == "-o" else word for word in words]  # as the parsers of the other commands have it
    given = Words(spelled(words, OPTIONS))
    if not given.asks_for_help:
        _check(given)
    from vidcls.cli.flow_run import main as run

    return run(words)


def _check(words: Words) -> None:
    """Refuse what can be seen to be wrong before anything is imported that takes seconds."""
    words.require_values(*CONFIG, "--data", "--folder", "--output")
    for word in words:
        if word.option not in (*OPTIONS, "-c") and not word.option.startswith(f"{DATASET[0]}."):
            hint = did_you_mean(word.option, OPTIONS, otherwise="vidcls flow --help lists them")
            raise ConfigurationError(f"{word.option or word.value}: unknown option; {hint}")
    typed = next((word for word in words if word.option.startswith(f"{DATASET[0]}.")), None)
    if typed is not None and not dataset_of_words(words):
        name = CONFIG_OF["VideoCsv" if typed.option.endswith(".path") else "VideoFolder"]
        raise ConfigurationError(
            f"{typed.option}: no data set is named: add --data {name}, as in --data {name} "
            f"{' '.join(typed.as_given)}; or pass --folder FOLDER, for every video below it"
        )
    given = with_one_dataset(words)
    check_dataset_options(given)
    check_videos(given)
    folder = words.last("--folder")
    if folder is not None and is_address(folder):
        check_allowed(folder)
    elif folder is not None and not Path(folder).is_dir():
        raise ConfigurationError(f"--folder {folder}: no such folder; check the path")
    check_engine_words(words)
    if words.last("--output") is None:
        raise ConfigurationError("output is missing: pass --output, the folder of the store")

"""Options of a command that works on every video -> where the work is done, and on which of the videos."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from vidcls.cli.argument_parser import positive_count
from vidcls.errors import ConfigurationError
from vidcls.shard import WHOLE, Shard

if TYPE_CHECKING:
    from vidcls.jobs import Pool

SHARD_HELP = (
    "work only on the i-th of n shares of the videos, i from 1 to n: several commands, also on several machines, then "
    "do the work together"
)


def add_pool_options(parser: ArgumentParser, *, shard_help: str = SHARD_HELP) -> None:
    """Add ``--num_workers`` and ``--shard``.

    Args:
        parser: takes them.
        shard_help: what the command does with a shard.
    """
    add_workers_option(parser)
    parser.add_argument("--shard", metavar="i/n", help=shard_help)


def add_workers_option(parser: ArgumentParser) -> None:
    """Add ``--num_workers`` alone, for a command that reports on all videos."""
    parser.add_argument(
        "--num_workers",
        type=positive_count,
        default=num_cpus(),
        metavar="N",
        help="number of processes (default: all cores)",
    )


def chosen_pool(options: Namespace) -> Pool:
    """Where the work is done. A place that is not this machine is a class in ``vidcls/jobs``, chosen here."""
    from vidcls.jobs import local_pool  # imports torch

    return local_pool(options.num_workers)


def chosen_shard(options: Namespace) -> Shard:
    """The share of the videos to work on.

    Raises:
        ConfigurationError: it is not written as ``i/n``, or does not exist.
    """
    if options.shard is None:
        return WHOLE
    try:
        return Shard.parse(options.shard)
    except ValueError as error:
        raise ConfigurationError(f"--shard: {error}") from error


def num_cpus() -> int:
    """Those that this process may use, where the system says so."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

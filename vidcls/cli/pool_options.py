"""Options of a command that works on every video -> where the work is done, and on which of the videos."""

from __future__ import annotations

import os
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vidcls.cli.argument_parser import OneLineParser, positive_count
from vidcls.cluster_address import LOCAL, check_address, require_ray
from vidcls.errors import ConfigurationError
from vidcls.shard import WHOLE, Shard

if TYPE_CHECKING:
    from vidcls.cli.words import Words
    from vidcls.jobs import Pool

SHARD_HELP = (
    "work only on the i-th of n shares of the videos, i from 1 to n: several commands, also on several machines, then "
    "do the work together"
)


ENGINE_OPTIONS = ("--engine", "--address", "--cpus_per_worker", "--gpus_per_worker", "--memory_per_worker")


def add_pool_options(parser: ArgumentParser, *, shard_help: str = SHARD_HELP) -> None:
    """Add ``--num_workers``, those of the engine, and ``--shard``.

    Args:
        parser: takes them.
        shard_help: what the command does with a shard.
    """
    add_workers_option(parser)
    parser.add_argument("--shard", metavar="i/n", help=shard_help)


def add_workers_option(parser: ArgumentParser) -> None:
    """Add ``--num_workers`` and those of the engine alone, for a command that reports on all videos."""
    parser.add_argument(
        "--num_workers",
        type=positive_count,
        metavar="N",
        help="number of processes (default: all cores; on a cluster as many as it has room for)",
    )
    add_engine_options(parser)


def add_engine_options(parser: ArgumentParser) -> None:
    """Add ``--engine``, ``--address`` and what a worker takes of its node."""
    add = parser.add_argument
    add(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="who does the work: processes of this machine (local, the default), or workers on a Ray cluster",
    )
    add(
        "--address",
        metavar="ADDRESS",
        help="of the cluster: auto for the one that this machine is a node of, HOST:PORT of its head, or local, which "
        "starts a Ray of this machine and ends it (default local)",
    )
    add("--cpus_per_worker", type=positive_amount, metavar="N", help="CPUs that a worker takes of its node (default 1)")
    add(
        "--gpus_per_worker",
        type=positive_gpus,
        metavar="N",
        help="GPUs that a worker takes, such as 1 or 0.25 (default 1 with --device cuda, else 0)",
    )
    add(
        "--memory_per_worker",
        type=positive_amount,
        metavar="GIB",
        help="memory that a worker takes, in GiB (default: any)",
    )


def check_engine(options: Namespace) -> None:
    """Refuse what contradicts itself, before anything is imported that takes seconds.

    Raises:
        ConfigurationError: options of a cluster without one, or no address.
        MissingExtraError: Ray is not installed.
    """
    if options.engine == "local":
        for option in ENGINE_OPTIONS[1:]:
            if getattr(options, option.removeprefix("--")) is not None:
                raise ConfigurationError(f"{option}: is for a cluster: add --engine ray, or remove it")
        return
    check_address(options.address or LOCAL)
    require_ray()


def check_engine_words(words: Words) -> Namespace:
    """The same for a command that reads its words itself; returns the options of the engine.

    Raises:
        ConfigurationError: also where a value is missing or no number.
        MissingExtraError: Ray is not installed.
    """
    parser = OneLineParser("", "")
    add_workers_option(parser)
    known = ("--num_workers", *ENGINE_OPTIONS)
    try:
        options = parser.parse_args([text for word in words if word.option in known for text in word.as_given])
    except ConfigurationError as error:
        raise ConfigurationError(str(error).partition(";")[0]) from error
    check_engine(options)
    return options


def chosen_pool(options: Namespace, files: Sequence[Path] = ()) -> Pool:
    """Where the work is done.

    Args:
        options: of the command.
        files: that every node of a cluster must see.

    Raises:
        ConfigurationError, MissingExtraError: as :func:`check_engine`.
    """
    check_engine(options)
    from vidcls.jobs import RayCluster, local_pool  # imports torch

    if options.engine == "local":
        return local_pool(num_cpus() if options.num_workers is None else options.num_workers)
    return RayCluster(**cluster_settings(options), files=tuple(files))  # type: ignore[arg-type]


def worker_device(options: Namespace) -> Literal["cpu", "cuda"]:
    """Where the network runs in a worker of a cluster: on a GPU that was asked for, which Ray then keeps for it."""
    if options.device == "auto":
        return "cuda" if options.gpus_per_worker else "cpu"
    return "cuda" if options.device == "cuda" else "cpu"


def cluster_settings(options: Namespace) -> dict[str, object]:
    """The arguments of :class:`vidcls.jobs.RayCluster` that were given, in plain types."""
    gpus, memory = options.gpus_per_worker, options.memory_per_worker
    if gpus is None:
        gpus = float(getattr(options, "device", None) == "cuda")
    return {
        "address": options.address or LOCAL,
        "num_cpus": options.cpus_per_worker or 1,
        "num_gpus": gpus,
        "memory_bytes": None if memory is None else int(memory * 2**30),
        "num_workers": options.num_workers,
    }


def positive_amount(value: str | float) -> float:
    """A finite number above 0; jsonargparse hands it one that was parsed before, too."""
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise ArgumentTypeError(f"{str(value)!r} is not a number above 0")
    return number


def positive_gpus(value: str | float) -> float:
    """The same of GPUs, of which Ray gives out whole ones, or a fraction of one."""
    number = positive_amount(value)
    if number > 1 and number != int(number):
        raise ArgumentTypeError(f"{str(value)!r} is not a fraction of one GPU, or an integer")
    return number


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

"""The words of fit -> whether Ray runs it, on how many processes and where. Imports no torch."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable
from dataclasses import dataclass

from vidcls.cli.pool_options import positive_amount, positive_gpus
from vidcls.cli.words import Words
from vidcls.cluster_address import LOCAL, check_address, require_ray
from vidcls.errors import ConfigurationError

RAY = "ray"
ENGINE = "--engine"
# Each with what the help says of it.
RAY_OPTIONS = {
    "--address": "of the cluster: local (a Ray of this machine, for this training), auto or HOST:PORT.",
    "--num_processes": "How many processes train together.",
    "--num_nodes": "Nodes that the processes are spread over evenly (default: as Ray finds room).",
    "--cpus_per_worker": "CPUs that Ray keeps for each process (default 1).",
    "--gpus_per_worker": "GPUs that Ray keeps for each process (default 1 with --trainer.accelerator gpu, else 0).",
    "--max_failures": "How often the training starts again from its checkpoint after a process was lost (default 3).",
}
ENGINE_HELP = "Where the training runs: local, or ray for processes of a Ray cluster, started again where one is lost."
# What decides the same by other words.
EXCLUDED = ("--trainer.devices", "--trainer.num_nodes")
GPUS = ("gpu", "cuda")


@dataclass(frozen=True)
class Engine:
    """Ray, and what it is to run.

    Args:
        address: of the cluster.
        num_processes: that train together.
        num_nodes: that they are spread over; None where it does not matter.
        num_cpus: of each process.
        num_gpus: of each process.
        max_failures: how often all are started again after one was lost.
    """

    address: str
    num_processes: int
    num_nodes: int | None
    num_cpus: float
    num_gpus: float
    max_failures: int


def engine_of(command: str, words: Words) -> Engine | None:
    """What ``--engine ray`` and its options ask for; None where the command runs here.

    Raises:
        ConfigurationError: an option is wrong, has no effect, or another command is to be run.
        MissingExtraError: Ray is not installed.
    """
    engine = words.last(ENGINE)
    words.require_values(ENGINE, *RAY_OPTIONS)
    if engine not in (None, LOCAL, RAY):
        raise ConfigurationError(f"--engine {engine}: expected local or ray")
    if engine != RAY:
        given = next((word.option for word in words if word.option in RAY_OPTIONS), None)
        if given is not None:
            raise ConfigurationError(
                f"{given}: belongs to --engine ray: add that, or on this machine pass --trainer.devices N "
                "--trainer.strategy ddp"
            )
        return None
    if command != "fit":
        raise ConfigurationError(f"--engine ray: trains; {command} runs on this machine: remove it")
    excluded = next((word.option for word in words if word.option in EXCLUDED), None)
    if excluded is not None:
        raise ConfigurationError(f"{excluded}: with --engine ray, --num_processes N says how many: remove it")
    num_processes = _count(words, "--num_processes")
    if num_processes is None:
        raise ConfigurationError("--engine ray: pass --num_processes N, how many processes train together")
    num_nodes = _count(words, "--num_nodes")
    if num_nodes is not None and num_processes % num_nodes:
        raise ConfigurationError(
            f"--num_nodes {num_nodes}: {num_processes} processes cannot be spread over them evenly: pass a divisor of "
            f"{num_processes}"
        )
    address = words.last("--address") or LOCAL
    check_address(address)
    require_ray()
    accelerator = words.last("--trainer.accelerator") or words.section("trainer").get("accelerator")
    return Engine(
        address=address,
        num_processes=num_processes,
        num_nodes=num_nodes,
        num_cpus=_amount(words, "--cpus_per_worker", positive_amount, 1.0),
        num_gpus=_amount(words, "--gpus_per_worker", positive_gpus, 1.0 if accelerator in GPUS else 0.0),
        max_failures=_count(words, "--max_failures", least=0, default=3) or 0,
    )


def without_engine(words: Words) -> Words:
    """The words of the training itself."""
    return words.without(ENGINE, *RAY_OPTIONS)


def _count(words: Words, option: str, *, least: int = 1, default: int | None = None) -> int | None:
    value = words.last(option)
    if value is None:
        return default
    if not value.isdecimal() or int(value) < least:
        raise ConfigurationError(f"{option} {value}: expected an integer of at least {least}")
    return int(value)


def _amount(words: Words, option: str, parse: Callable[[str], float], default: float) -> float:
    value = words.last(option)
    if value is None:
        return default
    try:
        return parse(value)
    except ArgumentTypeError as error:
        raise ConfigurationError(f"argument {option}: {error}") from error

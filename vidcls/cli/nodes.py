"""How many nodes and processes a trainer is told of, held against what a launcher has started."""

from __future__ import annotations

import os

from jsonargparse import Namespace
from lightning.pytorch import Trainer
from lightning.pytorch.plugins.environments import TorchElasticEnvironment

from vidcls.errors import ConfigurationError
from vidcls.launched import is_launched


def settle_nodes(command: str, trainer: Namespace) -> None:
    """Refuse a training on several nodes that nothing has started there; it would wait for the others for good.

    A test gives the same results on any number of processes, so that one of such a training runs on this machine.

    Args:
        command: ``fit``, ``validate`` or ``test``.
        trainer: the section; changed where a test takes another number of nodes.

    Raises:
        ConfigurationError: says how such a training is started.
    """
    if trainer.num_nodes == 1 or is_launched():
        return
    if command == "fit":
        raise ConfigurationError(
            f"trainer.num_nodes is {trainer.num_nodes}, but this process was not started on several nodes: start it "
            f"with torchrun --nnodes {trainer.num_nodes}, srun or --engine ray, or pass --trainer.num_nodes 1"
        )
    trainer.num_nodes = 1


def check_number(trainer: Trainer) -> None:
    """Refuse a trainer of another number of processes than torchrun has started.

    Raises:
        ConfigurationError: with the options that fit.
    """
    if not TorchElasticEnvironment.detect():
        return
    world_size = int(os.environ["WORLD_SIZE"])
    if trainer.num_devices * trainer.num_nodes == world_size:
        return
    on_each = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    raise ConfigurationError(
        f"torchrun has started {world_size} processes, {on_each} on each node: pass --trainer.num_nodes "
        f"{world_size // on_each} --trainer.devices {on_each} --trainer.strategy ddp"
    )

"""A classifier on several processes -> each keeps a share of its weights and of its optimiser's state (FSDP2).

Zhao et al., PyTorch FSDP, VLDB 2023 (arXiv:2304.11277); torch.distributed.fsdp.fully_shard. A stage of a backbone, a
head, and whatever else holds weights, is a unit: its weights are put together before it computes, and its gradients
are averaged over the processes behind it. The losses are those of DDP but for rounding, and a checkpoint is one file
like any other.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import MethodType
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.strategies import ModelParallelStrategy
from torch import nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.optim import Optimizer

from vidcls.errors import CheckpointError, ConfigurationError


class Sharded(ModelParallelStrategy):
    """Lightning's ModelParallelStrategy for classifiers of vidcls, with data parallelism alone.

    Args:
        reshard_after_forward: let go of the weights of a unit between its forward and its backward pass, which takes
            the least memory; else they stay, which saves an exchange.
    """

    def __init__(self, *, reshard_after_forward: bool = True) -> None:
        super().__init__(tensor_parallel_size=1, save_distributed_checkpoint=False)
        self.reshard_after_forward = reshard_after_forward

    def setup_environment(self) -> None:
        """Give all processes a share each.

        Raises:
            ConfigurationError: what else was asked for does not work with shared weights.
        """
        assert self.lightning_module is not None
        check_compatible(self.lightning_module.trainer)
        self._data_parallel_size = self.num_nodes * self.num_processes
        super().setup_environment()

    def setup(self, trainer: Trainer) -> None:
        """Share the weights before the optimiser is made.

        Raises:
            ConfigurationError: the model has weights that cannot be shared.
        """
        model = self.lightning_module
        assert model is not None
        mesh = self.device_mesh["data_parallel"]
        for unit in units(model):
            fully_shard(unit, mesh=mesh, reshard_after_forward=self.reshard_after_forward)
        model.configure_model = MethodType(_is_done, model)  # type: ignore[method-assign]
        super().setup(trainer)

    def load_checkpoint(
        self,
        checkpoint_path: str | Path,
        weights_only: bool | None = True,  # noqa: ARG002 - nothing else is read
    ) -> dict[str, object]:
        """Load weights and optimisers, of which each process keeps its share; returns the rest.

        Optimisers number their parameters in the order of their groups, which is not that of the model where stages
        have learning rates of their own; Lightning's own way takes the one for the other.
        """
        path = Path(self.broadcast(checkpoint_path))
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        assert self.model is not None
        assert self.lightning_module is not None
        # Parameters whose gradients are yet to come have no state.
        options = StateDictOptions(full_state_dict=True, strict=False)
        missing, unknown = set_model_state_dict(self.model, content.pop("state_dict"), options=options)
        if (missing or unknown) and self.lightning_module.strict_loading:
            raise CheckpointError(f"{path}: its weights do not fit the model: {[*missing, *unknown][0]}")
        for optimizer, state in zip(self.optimizers, content.get("optimizer_states", []), strict=False):
            named = _by_name(state, optimizer, self.model)
            set_optimizer_state_dict(self.model, optimizer, named, options=options)
            for name, parameter in self.model.named_parameters():
                if name not in named["state"]:  # it was given an empty one, that counts a step
                    optimizer.state.pop(parameter, None)
        return content

    def on_validation_start(self) -> None:
        """Put all weights together: the processes may have different numbers of videos, and none waits for another."""
        self._put_together()

    def on_validation_end(self) -> None:
        """Share them again."""
        self._share()

    def on_test_start(self) -> None:
        """As for a validation."""
        self._put_together()

    def on_test_end(self) -> None:
        """Share them again."""
        self._share()

    def _put_together(self) -> None:
        assert self.lightning_module is not None
        with torch.inference_mode(False), torch.no_grad():
            for buffer in self.lightning_module.buffers():  # as DDP: the statistics of the first process
                torch.distributed.broadcast(buffer, 0)
            for unit in self._units:
                unit.set_reshard_after_forward(False)
                unit.unshard()

    def _share(self) -> None:
        with torch.inference_mode(False), torch.no_grad():
            for unit in self._units:
                unit.set_reshard_after_forward(self.reshard_after_forward)
                unit.reshard()

    @property
    def _units(self) -> list[FSDPModule]:
        assert self.lightning_module is not None
        return [module for module in self.lightning_module.modules() if isinstance(module, FSDPModule)]


def units(model: nn.Module) -> list[nn.Module]:
    """What is shared as a whole: the stages and the read-out of each backbone, and all other parts with weights.

    Raises:
        ConfigurationError: weights that belong to no part that is called by itself.
    """
    found = [*_units_below(model)]
    covered = {parameter for unit in found for parameter in unit.parameters()}
    left = [name for name, parameter in model.named_parameters() if parameter not in covered]
    if left:
        raise ConfigurationError(f"--trainer fsdp: {type(model).__name__} holds {left[0]} itself: use --trainer ddp")
    return found


def _units_below(module: nn.Module) -> Iterator[nn.Module]:
    for child in module.children():
        if not any(True for _ in child.parameters()):
            continue
        has_stages = isinstance(getattr(child, "stages", None), nn.ModuleDict)  # as a backbone
        if (has_stages or isinstance(child, nn.ModuleDict | nn.ModuleList)) and not [*child.parameters(recurse=False)]:
            yield from _units_below(child)
        else:
            yield child


def check_compatible(trainer: Trainer) -> None:
    """Refuse what would be left out in silence, or fail in the middle.

    Raises:
        ConfigurationError: names it.
    """
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    averaging = next((type(c).__name__ for c in callbacks if isinstance(c, WeightAveraging)), None)
    changes = next((type(c).__name__ for c in callbacks if type(c).__name__ in _OTHER_WEIGHTS), None)
    what = None
    if averaging or changes:
        what = f"{averaging or changes} works on whole weights: remove it"
    elif str(trainer.precision) == "16-mixed":
        what = "16-mixed scales gradients, which does not know shares: pass --trainer.precision bf16-mixed"
    if what is not None:
        raise ConfigurationError(f"--trainer fsdp: {what}, or use --trainer ddp")


_OTHER_WEIGHTS = ("StochasticWeightAveraging", "SpeedUp", "LayerStatistics")


def _by_name(state: dict[str, Any], optimizer: Optimizer, model: nn.Module) -> dict[str, Any]:
    """The state of an optimiser with the names of parameters in place of their numbers."""
    name_of = {parameter: name for name, parameter in model.named_parameters()}
    groups: list[dict[str, Any]] = []
    names: dict[int, str] = {}
    for saved, group in zip(state["param_groups"], optimizer.param_groups, strict=True):
        in_order = [name_of[parameter] for parameter in group["params"]]
        names |= dict(zip(saved["params"], in_order, strict=True))
        groups.append({**saved, "params": in_order})
    return {"state": {names[number]: value for number, value in state["state"].items()}, "param_groups": groups}


def _is_done(model: LightningModule) -> None:
    """Lightning asks whether a module shares its weights by looking for a method of its own."""

"""The stages of a model's backbones: which keep their weights in which epoch, and how fast the others move."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain

from torch import nn

from vidcls.layers import Backbone
from vidcls.layers.backbones import READ_OUT
from vidcls.layers.settings import BATCH_NORMS
from vidcls.training.optimization import ParameterGroup
from vidcls.training.transfer import ALL_STAGES, TransferSettings


class StagedTraining:
    """What :class:`TransferSettings` mean for the backbones of a model.

    Stages that are trained later on are in the optimiser from the start, and only their gradients are dropped until
    then: so several processes agree on who waits for which gradient, and a resumed run finds the same optimiser.

    Args:
        settings: what to freeze, when to unfreeze, how fast to go.
        backbones: by their place in the model.

    Raises:
        ValueError: an unknown stage, or an order of unfreezing that trains less than before.
    """

    def __init__(self, settings: TransferSettings, backbones: Mapping[str, Backbone]) -> None:
        self.settings = settings
        self.backbones = dict(backbones)
        for place, backbone in self.backbones.items():
            self._check(place, backbone)

    def frozen(self, epoch: int) -> list[nn.Module]:
        """The stages that keep their weights in ``epoch``."""
        return [module for backbone in self.backbones.values() for module in self._first(backbone, epoch)]

    def never_trained(self) -> list[nn.Module]:
        """The stages that keep their weights to the end."""
        return self.frozen(max(self.settings.unfreeze, default=0))

    def waiting(self, epoch: int) -> list[nn.Parameter]:
        """Parameters that are trained later, but not in ``epoch``."""
        if not self.settings.unfreeze:
            return []
        return [p for module in self.frozen(epoch) for p in module.parameters() if p.requires_grad]

    def set_modes(self, epoch: int) -> None:
        """Put into evaluation mode what stays as it is in ``epoch``."""
        for module in self.frozen(epoch):
            module.eval()
        if self.settings.partial_batch_norm:
            for backbone in self.backbones.values():
                for norm in [module for module in backbone.modules() if isinstance(module, BATCH_NORMS)][1:]:
                    norm.eval()

    def parameter_groups(self, parameters: Iterable[nn.Parameter], lr: float) -> list[ParameterGroup]:
        """The trained parameters by stage, the classifier first, each further stage at a lower learning rate."""
        groups: list[ParameterGroup] = []
        grouped: set[int] = set()
        for place, backbone in self.backbones.items():
            factor = self.settings.lr_decay
            for name, module in reversed(_chain(backbone).items()):
                params = [p for p in module.parameters() if p.requires_grad]
                if params:
                    groups.append({"params": params, "lr": lr * factor, "name": f"{place}.{name}"})
                    grouped |= {id(p) for p in params}
                if any(True for _ in module.parameters()):
                    factor *= self.settings.lr_decay
        rest = [p for p in parameters if p.requires_grad and id(p) not in grouped]
        return [{"params": rest, "lr": lr, "name": "head"}, *groups] if rest else groups

    def described(self, model: nn.Module) -> str | None:
        """One line for the log; None where everything is trained."""
        settings = self.settings
        if settings.freeze is None:
            return None
        kept = {id(p) for p in chain.from_iterable(module.parameters() for module in self.frozen(0))}
        count = sum(p.numel() for p in model.parameters() if p.requires_grad and id(p) not in kept)
        later = "".join(f"; from epoch {epoch} on also {name}" for epoch, name in sorted(settings.unfreeze.items()))
        total = sum(p.numel() for p in model.parameters())
        return f"transfer: frozen up to {settings.freeze}: {count:,} of {total:,} parameters are trained{later}"

    def _first(self, backbone: Backbone, epoch: int) -> list[nn.Module]:
        """The modules of one backbone that are frozen in ``epoch``."""
        modules = _chain(backbone)
        return list(modules.values())[: self._num_frozen(list(modules), self.settings.thawed_from(epoch))]

    def _num_frozen(self, names: list[str], thawed_from: str | None) -> int:
        if thawed_from is not None:
            return names.index(thawed_from)
        if self.settings.freeze is None:
            return 0
        return names.index(names[-2] if self.settings.freeze == ALL_STAGES else self.settings.freeze) + 1

    def _check(self, place: str, backbone: Backbone) -> None:
        settings, names = self.settings, list(_chain(backbone))
        for option, name in [("freeze", settings.freeze), *(("unfreeze", n) for n in settings.unfreeze.values())]:
            allowed = [*names, ALL_STAGES] if option == "freeze" else names
            if name is not None and name not in allowed:
                raise ValueError(f"transfer.{option}: {place} has no stage {name!r}: use one of {', '.join(allowed)}")
        num_frozen = self._num_frozen(names, None)
        for epoch, name in sorted(settings.unfreeze.items()):
            if names.index(name) >= num_frozen:
                raise ValueError(
                    f"transfer.unfreeze: {name!r} is trained already before epoch {epoch}: name a stage nearer to the "
                    "input than the ones before"
                )
            num_frozen = names.index(name)


def _chain(backbone: Backbone) -> dict[str, nn.Module]:
    """The parts of a backbone from the input on."""
    return {**dict(backbone.stages.items()), READ_OUT: backbone.read_out}

"""What a backbone is: a chain of named stages that ends in feature maps, and a read-out that makes them a vector."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import cast

import torch
from torch import Tensor, nn

from vidcls.layers.layer_table import run_on_meta
from vidcls.layers.read_outs import PerTower
from vidcls.layers.recomputed import recomputed

READ_OUT = "read_out"  # the vector, where levels of a backbone are named


class Backbone(nn.Module):
    """A network without its classifier, over frames ``(B, C, H, W)`` or, in 3D, over clips ``(B, C, T, H, W)``.

    ::

        input -> stage 1 -> stage 2 -> ... -> last stage = maps -> read_out -> features (B, D)

    Each stage takes what the one before it gives, so a network can be cut, frozen, fused or widened in time at any
    stage. The stages hold all layers up to the last maps; what comes after belongs to the read-out.

    Args:
        stages: the chain, by name, from the input on.
        read_out: last maps -> features ``(B, D)``.
        num_features: D for one tower.
        num_towers: N; with more than one the read-out takes the maps of N towers, joined along the channels,
            ``(B, N*C, H, W)``, and gives N*D features. A network whose read-out has fully connected layers of its own
            builds it for N towers itself and leaves this at 1.
        input_px: (height, width) that the network was made for; most take others too.
        input_len: frames that a 3D network was made for; None for a 2D network.
        in_channels: C of the input; where None, that of the first convolution.

    Attributes:
        num_features: D of the read-out as it was built.
        travelling: what a checkpoint keeps beside the name so that the backbone can be built again, by name: the
            settings of a network that lie in a folder.
        has_other_tokens: whether stages hand on tokens beside their maps, such as a class token.
        num_together: frames of a clip that a 2D network sees together: its input is a multiple of them.
        recomputes: whether training keeps nothing but what goes from stage to stage, and computes the rest again on
            the way back.
    """

    travelling: Mapping[str, Mapping[str, object]] = MappingProxyType({})
    has_other_tokens = False
    num_together = 1
    recomputes = False

    def __init__(
        self,
        stages: Mapping[str, nn.Module],
        read_out: nn.Module,
        *,
        num_features: int,
        num_towers: int = 1,
        input_px: tuple[int, int] = (224, 224),
        input_len: int | None = None,
        in_channels: int | None = None,
    ) -> None:
        super().__init__()
        self.stages = nn.ModuleDict(stages)
        self.read_out = PerTower(read_out, num_towers) if num_towers > 1 else read_out
        self.num_features = num_features * num_towers
        self.input_px = input_px
        self.input_len = input_len
        self._in_channels = in_channels

    @property
    def stem(self) -> nn.Conv2d | nn.Conv3d:
        """The first convolution, whose kernels see the input channels."""
        return next(m for m in self.modules() if isinstance(m, nn.Conv2d | nn.Conv3d))

    @property
    def input_shape(self) -> tuple[int, ...]:
        """``(C, H, W)`` or ``(C, T, H, W)`` of the input that the network was made for."""
        time = () if self.input_len is None else (self.input_len,)
        return (self._in_channels or self.stem.in_channels, *time, *self.input_px)

    @property
    def stage_names(self) -> tuple[str, ...]:
        """The stages' names in order of depth."""
        return tuple(self.stages)

    @property
    def last_places(self) -> str:
        """The deepest stage whose output still tells places apart: maps of several places, or tokens."""
        shapes = self.shapes(names=self.stage_names)
        names = [name for name in self.stage_names if math.prod(_places(shapes[name])) > 1]
        return names[-1] if names else self.stage_names[-1]

    @property
    def num_map_channels(self) -> int:
        """Channels of the last stage's maps."""
        return self.channels(self.stage_names[-1:])[0]

    def forward(self, x: Tensor) -> Tensor:
        """Input ``(B, C, H, W)`` or ``(B, C, T, H, W)`` -> features ``(B, D)``."""
        return self.read_out(self.maps(x))

    def maps(self, x: Tensor, *, after: str | None = None, until: str | None = None) -> Tensor:
        """Input, or the maps ``after`` a stage, -> the maps of the last stage, or of the stage ``until``."""
        names = list(self.stages)
        first = 0 if after is None else names.index(after) + 1
        last = len(names) if until is None else names.index(until) + 1
        for name in names[first:last]:
            x = self._through(name, x)
        return x

    def levels(self, x: Tensor, names: Sequence[str]) -> list[Tensor]:
        """Input -> what the named stages give, in the order of ``names``; ``read_out`` is the vector ``(B, D)``.

        Nothing behind the deepest of them is computed.
        """
        order = list(self.stages)
        last = len(order) if READ_OUT in names else max(order.index(name) for name in names) + 1
        found: dict[str, Tensor] = {}
        for name in order[:last]:
            x = self._through(name, x)
            found[name] = x
        if READ_OUT in names:
            found[READ_OUT] = self.read_out(x)
        return [found[name] for name in names]

    def _through(self, name: str, x: Tensor) -> Tensor:
        stage = self.stages[name]
        if self.recomputes and self.training and torch.is_grad_enabled():
            return recomputed(stage, x)
        return stage(x)

    def check_stages(self, names: Sequence[str], *, read_out: bool = False) -> None:
        """Refuse a name that is no stage of this network (or ``read_out``, where that is allowed)."""
        allowed = (*self.stages, READ_OUT) if read_out else tuple(self.stages)
        for name in names:
            if name not in allowed:
                raise ValueError(f"unknown stage {name!r}: this backbone has {', '.join(allowed)}")

    def cut_after(self, names: Sequence[str]) -> None:
        """Drop the stages behind the deepest of the named ones, and the read-out where it is not named, in place."""
        if READ_OUT in names:
            return
        order = list(self.stages)
        for name in order[max(order.index(name) for name in names) + 1 :]:
            del self.stages[name]
        self.read_out = nn.Identity()

    def shapes(
        self, input_shape: Sequence[int] | None = None, *, names: Sequence[str] | None = None
    ) -> dict[str, tuple[int, ...]]:
        """The output shapes of stages and of the read-out, without B and without computing anything.

        Args:
            input_shape: ``(C, H, W)`` or ``(C, T, H, W)``; by default the size that the network was made for.
            names: of which; by default all. The read-out of several towers takes more than the maps of one picture.
        """
        if input_shape is None:
            input_shape = self.input_shape
        names = (*self.stages, READ_OUT) if names is None else names
        batch_shape = (2 * self.num_together, *input_shape)
        outputs = cast(list[Tensor | tuple[Tensor, object]], run_on_meta(_Levels(self, names), batch_shape))
        tensors = [output if isinstance(output, Tensor) else output[0] for output in outputs]  # tokens bring their grid
        return {name: tuple(tensor.shape[1:]) for name, tensor in zip(names, tensors, strict=True)}

    def channels(self, names: Sequence[str]) -> list[int]:
        """The number of channels after each of the named stages; that of ``read_out`` is D.

        Raises:
            ValueError: a stage gives tokens instead of maps.
        """
        shapes = self.shapes(names=names)
        for name in names:
            if len(shapes[name]) == 2:
                raise ValueError(
                    f"stage {name!r} gives tokens, not maps, so nothing can be convolved there: use another"
                )
        return [shapes[name][0] for name in names]


def _places(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Height and width, or the number of tokens ``(N, D)``."""
    return shape[:1] if len(shape) == 2 else shape[-2:]


class _Levels(nn.Module):
    def __init__(self, backbone: Backbone, names: Sequence[str]) -> None:
        super().__init__()
        self.backbone = backbone
        self.names = names

    def forward(self, x: Tensor) -> list[Tensor]:
        return self.backbone.levels(x, self.names)

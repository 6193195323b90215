"""Where in a model the maps lie whose places can be pointed at in the picture."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from vidcls.layers import Backbone
from vidcls.layers.read_outs import GlobalAverage, OverTime, PerTower


@dataclass(frozen=True)
class CamLayer:
    """Maps of a model that a class activation map is made of.

    Args:
        title: what it shows, such as ``spatial`` or ``block4``.
        module: the layer that gives the maps, by its name in the model.
        stream: the name of the stream whose places and times the maps have.
        part: the part whose score is explained; None stands for the model's answer.
        classifier: the linear layer that sees the mean of these maps over all places and times, by its name; None where
            there is none, so that the method of global average pooling (CAM) does not apply.
        is_centre: whether the maps show the centre of the picture at half its height and width (the fovea).
        frames: which frame of a snippet each map in time belongs to; None spreads the maps evenly.
    """

    title: str
    module: str
    stream: str = "rgb"
    part: str | None = None
    classifier: str | None = None
    is_centre: bool = False
    frames: tuple[int, ...] | None = None


def ends_in_average(backbone: Backbone) -> bool:
    """Whether the features are nothing but the mean of the last maps over all places and times."""
    read_out: nn.Module = backbone.read_out
    while isinstance(read_out, OverTime | PerTower):
        read_out = read_out.read_out
    return isinstance(read_out, GlobalAverage)

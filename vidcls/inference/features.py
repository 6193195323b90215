"""A network that is run -> what each stage of its backbones gives, as one vector for each video."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from vidcls.layers import Backbone

LOGITS = "logits"


def backbones_of(network: nn.Module) -> dict[str, Backbone]:
    """The outermost backbones in a network, by their place in it."""
    found: dict[str, Backbone] = {}
    for name, module in network.named_modules():
        inside = any(name.startswith(f"{outer}.") for outer in found)
        if isinstance(module, Backbone) and not inside:
            found[name] = module
    return found


class LayerFeatures(nn.Module):
    """A network as one that gives a vector for each layer: the stages of its backbones by depth, and the logits.

    Args:
        network: with backbones.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *streams: Tensor) -> dict[str, Tensor]:
        """Streams ``(B, C, T, H, W)`` -> ``(B, D)`` float32 by layer; of maps the mean over places and times."""
        with stage_outputs(self.network) as outputs:
            outputs[LOGITS] = self.network(*streams)
        return {layer: vector_by_video(output, len(streams[0])) for layer, output in outputs.items()}


@contextmanager
def stage_outputs(network: nn.Module) -> Iterator[dict[str, Tensor]]:
    """What the stages of all backbones give, by name, filled while the network runs."""
    outputs: dict[str, Tensor] = {}

    def keep(layer: str, output: Tensor | tuple[Tensor, object]) -> None:
        outputs[layer] = output if isinstance(output, Tensor) else output[0]

    backbones = backbones_of(network)
    several = len(backbones) > 1
    handles = [
        stage.register_forward_hook(lambda _m, _i, output, layer=layer: keep(layer, output))
        for path, backbone in backbones.items()
        for layer, stage in _named_stages(path if several else "", backbone)
    ]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def vector_by_video(output: Tensor, num_videos: int) -> Tensor:
    """Logits ``(B, K)``, maps ``(B*N, C, ...)`` or tokens ``(B*N, P, D)`` -> one vector for each video ``(B, C)``."""
    values = output.float()
    if values.ndim == 3:
        values = values.mean(dim=1)
    values = values.flatten(2).mean(dim=2) if values.ndim > 2 else values
    return values.unflatten(0, (num_videos, -1)).mean(dim=1)


def _named_stages(path: str, backbone: Backbone) -> Iterator[tuple[str, nn.Module]]:
    network = path.rpartition(".")[2]
    for name, stage in backbone.stages.items():
        yield (f"{network} {name}" if network else name), stage

"""Image networks of timm by name -> backbones with any number of input channels."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, cast

from torch import Tensor, nn

from vidcls.errors import CheckpointError, MissingExtraError, first_line
from vidcls.layers.backbones.base import Backbone
from vidcls.layers.stems import replace_stem
from vidcls.layers.weight_init import is_checkpoint, is_file_name, load_state, read_state

if TYPE_CHECKING:
    from types import ModuleType

PREFIX = "timm/"
PRETRAINED = "DEFAULT"


class TimmBackbone(Backbone):
    """A network of timm (Wightman: PyTorch Image Models) up to the features before its classifier.

    It is one stage, ``features``: these networks are too different to be cut in one way.

    Args:
        name: timm's name, with its tag where it has one, such as ``resnet26d.bt_in1k``.
        in_channels: C of the input; another number than 3 replaces the first convolution, see
            :class:`TorchvisionBackbone`.
        weights: ``DEFAULT`` for timm's own (downloaded), the path of a file with a state dictionary of that network, or
            none for random weights.
        num_towers: see :class:`Backbone`.
    """

    def __init__(self, name: str, in_channels: int = 3, *, weights: str | None = None, num_towers: int = 1) -> None:
        network = _build(name, weights)
        replace_stem(network, in_channels, keep_weights=weights is not None)
        _, height, width = cast(tuple[int, int, int], network.pretrained_cfg["input_size"])  # type: ignore[index]
        super().__init__(
            {"features": _Features(network)},
            _Head(network),
            num_features=cast(int, getattr(network, "head_hidden_size", None) or network.num_features),
            num_towers=num_towers,
            input_px=(height, width),
        )


def pretrained_input(name: str) -> tuple[tuple[int, int], tuple[float, float, float], tuple[float, float, float]]:
    """What the weights of a network of timm were made with: (height, width), mean and standard deviation of RGB.

    Raises:
        ValueError: timm has no such network.
    """
    timm = _timm()
    _check_name(timm, name)
    found = timm.models.get_pretrained_cfg(name)
    if found is None:  # a network without weights
        return (224, 224), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    _, height, width = found.input_size
    return (height, width), tuple(found.mean), tuple(found.std)


class _Features(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor) -> Tensor:
        return self.network.forward_features(frames)  # type: ignore[operator]


class _Head(nn.Module):
    """The layers between the last maps and the classifier; they belong to the network of the stage."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self._network = (network,)  # a tuple hides it: its parameters are registered once, by the stage

    def forward(self, maps: Tensor) -> Tensor:
        return self._network[0].forward_head(maps, pre_logits=True)  # type: ignore[operator]


def _build(name: str, weights: str | None) -> nn.Module:
    timm = _timm()
    _check_name(timm, name)
    is_file = weights is not None and is_file_name(weights)
    if weights is not None and not is_file and weights != PRETRAINED:
        raise ValueError(f"weights={weights!r}: for {PREFIX}{name} use {PRETRAINED}, the path of a file, or null")
    try:
        network = timm.create_model(name, pretrained=weights == PRETRAINED)
    except (OSError, RuntimeError) as error:
        if weights != PRETRAINED:
            raise
        raise CheckpointError(
            f"weights={weights!r} of {PREFIX}{name} could not be downloaded ({first_line(error)}): fetch the "
            "file on a machine with a network and pass its path"
        ) from error
    if is_file and not is_checkpoint(weights):
        classifier = cast(str, network.pretrained_cfg.get("classifier") or "")
        load_state(network, read_state(cast(str, weights)), cast(str, weights), head=f"{classifier}.")
    network.reset_classifier(0)
    return cast(nn.Module, network)


def _check_name(timm: ModuleType, name: str) -> None:
    if not timm.is_model(name):
        near = get_close_matches(name.partition(".")[0], timm.list_models())
        hint = f", such as {', '.join(near)}" if near else ""
        raise ValueError(f"timm has no network {name!r}: use a name of timm.list_models(){hint}")


def _timm() -> ModuleType:
    try:
        import timm
    except ImportError as error:
        raise MissingExtraError(f"{PREFIX} networks need timm: pip install 'vidcls[timm]'") from error
    return timm

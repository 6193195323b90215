"""Image networks of torchvision by name -> backbones with any number of input channels."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from vidcls.errors import CheckpointError, ConfigurationError
from vidcls.layers.backbones.base import Backbone
from vidcls.layers.read_outs import GlobalAverage
from vidcls.layers.stems import replace_stem

Parts = tuple[dict[str, nn.Module], nn.Module]
"""Stages by name, and the read-out with the classifier taken off."""


class TorchvisionBackbone(Backbone):
    """A network of torchvision up to the features before its classifier.

    Args:
        name: torchvision's name, such as ``resnet18`` or ``vgg16_bn``.
        in_channels: C of the input; another number than 3 replaces the first convolution, whose kernels are the mean of
            the RGB kernels over colour where weights are given (cross-modality initialisation).
        weights: ``DEFAULT`` or another name of torchvision's weights (downloaded), the path of a file with a state
            dictionary of that network, or none for random weights.
        num_towers: see :class:`Backbone`.
    """

    def __init__(self, name: str, in_channels: int = 3, *, weights: str | None = None, num_towers: int = 1) -> None:
        network = build_torchvision(name, weights)
        replace_stem(network, in_channels, keep_weights=weights is not None)
        classifier = [m for m in network.modules() if isinstance(m, nn.Linear)][-1]
        family = next(family for family in FAMILIES if name.startswith(family))
        stages, read_out = FAMILIES[family](network)
        super().__init__(stages, read_out, num_features=classifier.in_features, num_towers=num_towers)


def torchvision_names() -> list[str]:
    """The names that :class:`TorchvisionBackbone` takes."""
    from torchvision import models

    names = models.list_models(module=models)
    return [name for name in names if name.startswith(tuple(FAMILIES))]


def _resnet(network: nn.Module) -> Parts:
    get = network.get_submodule
    stages: dict[str, nn.Module] = {
        "stem": nn.Sequential(get("conv1"), get("bn1"), get("relu"), get("maxpool")),
        **{name: get(name) for name in ("layer1", "layer2", "layer3", "layer4")},
    }
    return stages, GlobalAverage()


def _vgg(network: nn.Module) -> Parts:
    """Blocks that end in a pool each, as in the paper; the read-out has the two fully connected layers."""
    blocks: list[list[nn.Module]] = [[]]
    features, classifier = network.get_submodule("features"), network.get_submodule("classifier")
    for module in features.children():
        blocks[-1].append(module)
        if isinstance(module, nn.MaxPool2d):
            blocks.append([])
    stages: dict[str, nn.Module] = {f"block{k}": nn.Sequential(*block) for k, block in enumerate(blocks[:-1], start=1)}
    return stages, nn.Sequential(network.get_submodule("avgpool"), nn.Flatten(), *list(classifier.children())[:-1])


FAMILIES: dict[str, Callable[[nn.Module], Parts]] = {
    "resnet": _resnet,
    "resnext": _resnet,
    "wide_resnet": _resnet,
    "vgg": _vgg,
}


def build_torchvision(name: str, weights: str | None) -> nn.Module:
    """A network of torchvision with its classifier, its weights by name, from a file, or random where None."""
    from torchvision import models

    if weights is None:
        return models.get_model(name, weights=None)
    path = Path(weights)
    if path.suffix in {".pt", ".pth", ".bin"} or path.exists():
        network = models.get_model(name, weights=None)
        load_state(network, path)
        return network
    try:
        return models.get_model(name, weights=weights)
    except (KeyError, ValueError) as error:
        raise ConfigurationError(
            f"weights={weights!r} is neither a file nor a name of torchvision's weights for {name}: "
            "use DEFAULT, a name such as IMAGENET1K_V1, the path of a .pth file, or null"
        ) from error
    except OSError as error:
        raise CheckpointError(
            f"weights={weights!r} of {name} could not be downloaded ({error}): "
            "fetch the file on a machine with a network and give its path"
        ) from error


def load_state(network: nn.Module, path: Path) -> None:
    """Load the state dictionary in ``path`` into ``network``; a file of another network is a CheckpointError."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict(state)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file of weights") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, LookupError, ValueError, TypeError, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{path}: does not hold weights of a {type(network).__name__} ({reason})") from error

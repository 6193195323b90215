"""Image networks of torchvision by name -> backbones with any number of input channels."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from torch import Tensor, nn

from vidcls.errors import CheckpointError, ConfigurationError
from vidcls.layers.backbones.base import Backbone
from vidcls.layers.stems import replace_stem

FAMILIES = ("resnet", "resnext", "wide_resnet", "vgg")


class TorchvisionBackbone(Backbone):
    """A ResNet or VGG of torchvision up to the features before its classifier.

    Args:
        name: torchvision's name, such as ``resnet18`` or ``vgg16_bn``.
        in_channels: C of the input; another number than 3 replaces the first convolution, whose kernels are the mean of
            the RGB kernels over colour where weights are given (cross-modality initialisation).
        weights: ``DEFAULT`` or another name of torchvision's weights (downloaded), the path of a file with a state
            dictionary of that network, or none for random weights.
    """

    def __init__(self, name: str, in_channels: int = 3, *, weights: str | None = None) -> None:
        super().__init__()
        network = _build(name, weights)
        replace_stem(network, in_channels, keep_weights=weights is not None)
        if name.startswith("vgg"):
            assert isinstance(network.classifier, nn.Sequential)
            last = network.classifier[-1]
            network.classifier[-1] = nn.Identity()
        else:
            last = network.get_submodule("fc")
            network.fc = nn.Identity()
        assert isinstance(last, nn.Linear)
        self.num_features = last.in_features
        self.network = network

    @property
    def stem(self) -> nn.Conv2d:
        """The first convolution."""
        return next(module for module in self.network.modules() if isinstance(module, nn.Conv2d))

    @property
    def stages(self) -> dict[str, nn.Module]:
        """ResNet: ``layer1`` to ``layer4``; VGG: ``features``."""
        return {
            name: module
            for name, module in self.network.named_children()
            if name.startswith("layer") or name == "features"
        }

    def forward(self, x: Tensor) -> Tensor:
        """Input ``(B, C, H, W)`` -> features ``(B, D)``."""
        return self.network(x)


def torchvision_names() -> list[str]:
    """The names that :class:`TorchvisionBackbone` takes."""
    from torchvision import models

    names = models.list_models(module=models)
    return [name for name in names if name.startswith(FAMILIES)]


def _build(name: str, weights: str | None) -> nn.Module:
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

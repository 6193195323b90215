"""Image networks of torchvision by name -> backbones with any number of input channels."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import nn

from vidcls.errors import CheckpointError, ConfigurationError
from vidcls.layers.backbones.base import Backbone
from vidcls.layers.backbones.torchvision_stages import FAMILIES
from vidcls.layers.stems import replace_stem
from vidcls.layers.weight_init import is_checkpoint, is_file_name, load_state, read_state

SIDE_PX = {"inception_v3": 299}  # the others were made for 224
FULLY_CONNECTED = ("alexnet", "mobilenet_v3", "vgg")  # the first layer of their read-outs sees the maps of all towers


class TorchvisionBackbone(Backbone):
    """A network of torchvision up to the features before its classifier.

    Deviations: the features of ``squeezenet`` are the mean of its last maps, since its classifier is a convolution;
    auxiliary classifiers (``googlenet``, ``inception_v3``) are left out.

    Args:
        name: torchvision's name, such as ``resnet18`` or ``vgg16_bn``.
        in_channels: C of the input; another number than 3 replaces the first convolution, whose kernels are the mean of
            the RGB kernels over colour where weights are given (cross-modality initialisation).
        weights: ``DEFAULT`` or another name of torchvision's weights (downloaded), the path of a file with a state
            dictionary of that network, or none for random weights.
        num_towers: see :class:`Backbone`. The first fully connected layer of ``vgg``, ``alexnet`` and ``mobilenet_v3``
            sees the maps of all towers; given weights are repeated over them and divided by N.
    """

    def __init__(self, name: str, in_channels: int = 3, *, weights: str | None = None, num_towers: int = 1) -> None:
        network = build_torchvision(name, weights)
        num_features = _num_features(network)
        replace_stem(network, in_channels, keep_weights=weights is not None)
        stages, read_out = FAMILIES[_family(name)](network)
        side_px = SIDE_PX.get(name, 224)
        if num_towers > 1 and _family(name) in FULLY_CONNECTED:
            _widen_first_fc(read_out, num_towers, keep_weights=weights is not None and not is_checkpoint(weights))
            num_towers = 1
        super().__init__(
            stages, read_out, num_features=num_features, num_towers=num_towers, input_px=(side_px, side_px)
        )


def torchvision_names() -> list[str]:
    """The names that :class:`TorchvisionBackbone` takes: all classifiers of torchvision."""
    from torchvision import models

    return models.list_models(module=models)


def _family(name: str) -> str:
    return next(family for family in FAMILIES if name.startswith(family))


def _num_features(network: nn.Module) -> int:
    linear = [m for m in network.modules() if isinstance(m, nn.Linear)]
    if linear:
        return linear[-1].in_features
    return [m for m in network.modules() if isinstance(m, nn.Conv2d)][-1].in_channels  # squeezenet's classifier


def _widen_first_fc(read_out: nn.Module, num_towers: int, *, keep_weights: bool) -> None:
    """Let it see the maps of N towers, joined along the channels; equal towers then give what one gave."""
    name, fc = next((name, module) for name, module in read_out.named_children() if isinstance(module, nn.Linear))
    wide = nn.Linear(num_towers * fc.in_features, fc.out_features)
    if keep_weights:
        with torch.no_grad():
            wide.weight.copy_(fc.weight.repeat(1, num_towers) / num_towers)
            wide.bias.copy_(fc.bias)
    setattr(read_out, name, wide)


def build_torchvision(name: str, weights: str | None) -> nn.Module:
    """A network of torchvision with its classifier, its weights by name, from a file, or random where None."""
    from torchvision import models

    arguments = {"init_weights": weights is None, "aux_logits": False} if name in ("googlenet", "inception_v3") else {}
    if weights is None or is_checkpoint(weights):  # of a checkpoint the backbone is loaded once its stages are cut
        with torch.device("cpu") if name.startswith("regnet") else nullcontext():  # it computes its widths with tensors
            return models.get_model(name, weights=None, **arguments)
    if is_file_name(weights):
        state = {n: value for n, value in read_state(weights).items() if not n.startswith(("aux", "AuxLogits"))}
        network = models.get_model(name, weights=None, **arguments)
        if arguments:
            network.transform_input = True  # torchvision's weights of these families want it
        load_state(network, state, weights, head=_classifier_name(network))
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
            "fetch the file on a machine with a network and pass its path"
        ) from error


def _classifier_name(network: nn.Module) -> str:
    """How the names of the last layer's parameters start."""
    layers = [
        (name, module)
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d | nn.Conv3d)
    ]
    return f"{layers[-1][0]}."

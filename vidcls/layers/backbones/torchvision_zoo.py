"""Image networks of torchvision by name -> backbones with any number of input channels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import TypeVar, cast

import torch
from torch import Tensor, nn

from vidcls.errors import CheckpointError, ConfigurationError
from vidcls.layers.backbones.base import Backbone
from vidcls.layers.first_weights import is_checkpoint, is_file_name, load_state, read_state
from vidcls.layers.read_outs import GlobalAverage
from vidcls.layers.stems import replace_stem

Parts = tuple[dict[str, nn.Module], nn.Module]
"""Stages by name, and the read-out with the classifier taken off."""

Item = TypeVar("Item")

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


# --- families: how each is cut into stages ----------------------------------------------------------------------------


def _resnet(network: nn.Module) -> Parts:
    get = network.get_submodule
    stages: dict[str, nn.Module] = {
        "stem": nn.Sequential(get("conv1"), get("bn1"), get("relu"), get("maxpool")),
        **{name: get(name) for name in ("layer1", "layer2", "layer3", "layer4")},
    }
    return stages, GlobalAverage()


def _vgg(network: nn.Module) -> Parts:
    """Blocks that end in a pool each, as in the paper; the read-out has the two fully connected layers."""
    blocks = _cut(network.get_submodule("features").children(), after=lambda module: isinstance(module, nn.MaxPool2d))
    return _numbered(blocks), _without_classifier(network)


def _blocks(network: nn.Module) -> Parts:
    """Every child of ``features`` is a stage: alexnet, efficientnet, mobilenet_v2, squeezenet."""
    return _numbered([[module] for module in network.get_submodule("features").children()]), GlobalAverage()


def _mobilenet_v3(network: nn.Module) -> Parts:
    return _blocks(network)[0], _without_classifier(network)


def _alexnet(network: nn.Module) -> Parts:
    return _vgg(network)


def _convnext(network: nn.Module) -> Parts:
    """A stage begins with its downsampling."""
    features = list(network.get_submodule("features").children())  # stem, stage, downsampling, stage, ...
    pairs = [[features[0], features[1]], *([features[k], features[k + 1]] for k in range(2, len(features), 2))]
    classifier = network.get_submodule("classifier")
    return _numbered(pairs), nn.Sequential(network.get_submodule("avgpool"), *list(classifier.children())[:-1])


def _densenet(network: nn.Module) -> Parts:
    features = network.get_submodule("features")
    cut = _cut(features.named_children(), after=lambda named: named[0].startswith(("pool0", "transition")))
    blocks = [[module for _, module in block] for block in cut]
    blocks[-1].append(nn.ReLU(inplace=True))
    stages = _numbered(blocks)
    return {"stem": stages.pop("block1"), **{f"block{k}": s for k, s in enumerate(stages.values(), 1)}}, GlobalAverage()


def _googlenet(network: nn.Module) -> Parts:
    names = [name for name, _ in network.named_children() if name not in ("aux1", "aux2", "avgpool", "dropout", "fc")]
    blocks = _cut(names, before=lambda name: name.startswith("maxpool"))
    return _inputs_as_trained(network, _numbered([[network.get_submodule(n) for n in block] for block in blocks]))


def _inception(network: nn.Module) -> Parts:
    left_out = ("AuxLogits", "avgpool", "dropout", "fc")
    names = [name for name, _ in network.named_children() if name not in left_out]
    blocks = _cut(names, before=lambda name: name.startswith("maxpool") or name in ("Mixed_6a", "Mixed_7a"))
    return _inputs_as_trained(network, _numbered([[network.get_submodule(n) for n in block] for block in blocks]))


def _mnasnet(network: nn.Module) -> Parts:
    return _numbered([[module] for module in network.get_submodule("layers").children()]), GlobalAverage()


def _regnet(network: nn.Module) -> Parts:
    trunk = network.get_submodule("trunk_output")
    return {"stem": network.get_submodule("stem"), **dict(trunk.named_children())}, GlobalAverage()


def _shufflenet(network: nn.Module) -> Parts:
    get = network.get_submodule
    stages = {name: get(name) for name in ("stage2", "stage3", "stage4", "conv5")}
    return {"stem": nn.Sequential(get("conv1"), get("maxpool")), **stages}, GlobalAverage()


def _swin(network: nn.Module) -> Parts:
    """A stage begins with its patch merging; torchvision's maps have the channels last, ours first."""
    features = list(network.get_submodule("features").children())  # patches, stage, merging, stage, ...
    stages = {"patches": nn.Sequential(features[0], ChannelsFirst())}
    groups = [features[1:2], *(features[k : k + 2] for k in range(2, len(features), 2))]
    groups[-1] = [*groups[-1], network.get_submodule("norm")]
    stages |= {
        f"stage{k}": nn.Sequential(ChannelsLast(), *group, ChannelsFirst()) for k, group in enumerate(groups, start=1)
    }
    return cast(dict[str, nn.Module], stages), GlobalAverage()


def _vit(network: nn.Module) -> Parts:
    """The stages are tokens ``(B, 1 + N, D)``; the last one keeps the class token alone, as a map of one place."""
    encoder = network.get_submodule("encoder")
    stages: dict[str, nn.Module] = {"patches": _VitPatches(network, encoder)}
    blocks = list(encoder.get_submodule("layers").children())
    stages |= {f"block{k}": block for k, block in enumerate(blocks, start=1)}
    stages[f"block{len(blocks)}"] = nn.Sequential(blocks[-1], encoder.get_submodule("ln"), _ClassToken())
    return stages, nn.Flatten()


def _maxvit(network: nn.Module) -> Parts:
    blocks = list(network.get_submodule("blocks").children())
    stages = {"stem": nn.Sequential(_OnlySize("maxvit", 224), network.get_submodule("stem"))}
    stages |= {f"block{k}": block for k, block in enumerate(blocks, start=1)}  # type: ignore[misc]
    return cast(dict[str, nn.Module], stages), nn.Sequential(*list(network.get_submodule("classifier").children())[:-1])


FAMILIES: dict[str, Callable[[nn.Module], Parts]] = {
    "alexnet": _alexnet,
    "convnext": _convnext,
    "densenet": _densenet,
    "efficientnet": _blocks,
    "googlenet": _googlenet,
    "inception_v3": _inception,
    "maxvit": _maxvit,
    "mnasnet": _mnasnet,
    "mobilenet_v2": _blocks,
    "mobilenet_v3": _mobilenet_v3,
    "regnet": _regnet,
    "resnet": _resnet,
    "resnext": _resnet,
    "shufflenet": _shufflenet,
    "squeezenet": _blocks,
    "swin": _swin,
    "vgg": _vgg,
    "vit": _vit,
    "wide_resnet": _resnet,
}


def _numbered(blocks: Iterable[list[nn.Module]]) -> dict[str, nn.Module]:
    return {f"block{k}": nn.Sequential(*block) for k, block in enumerate(blocks, start=1)}


def _cut(
    items: Iterable[Item],
    *,
    after: Callable[[Item], bool] = lambda _: False,
    before: Callable[[Item], bool] = lambda _: False,
) -> list[list[Item]]:
    """The items in groups, cut after or before some of them."""
    groups: list[list[Item]] = [[]]
    for item in items:
        if before(item) and groups[-1]:
            groups.append([])
        groups[-1].append(item)
        if after(item):
            groups.append([])
    return [group for group in groups if group]


def _without_classifier(network: nn.Module) -> nn.Sequential:
    classifier = list(network.get_submodule("classifier").children())[:-1]
    return nn.Sequential(network.get_submodule("avgpool"), nn.Flatten(), *classifier)


def _widen_first_fc(read_out: nn.Module, num_towers: int, *, keep_weights: bool) -> None:
    """Let it see the maps of N towers, joined along the channels; equal towers then give what one gave."""
    name, fc = next((name, module) for name, module in read_out.named_children() if isinstance(module, nn.Linear))
    wide = nn.Linear(num_towers * fc.in_features, fc.out_features)
    if keep_weights:
        with torch.no_grad():
            wide.weight.copy_(fc.weight.repeat(1, num_towers) / num_towers)
            wide.bias.copy_(fc.bias)
    setattr(read_out, name, wide)


def _inputs_as_trained(network: nn.Module, stages: dict[str, nn.Module]) -> Parts:
    """Weights of these families saw inputs of mean .5 and standard deviation .5, not those of ImageNet."""
    if getattr(network, "transform_input", False) and _first_conv(network).in_channels == 3:
        stages["block1"] = nn.Sequential(_ImageNetToHalf(), stages["block1"])
    return stages, GlobalAverage()


def _first_conv(network: nn.Module) -> nn.Conv2d:
    return next(m for m in network.modules() if isinstance(m, nn.Conv2d))


class _ImageNetToHalf(nn.Module):
    """Frames normalised by ImageNet's mean and standard deviation -> the same normalised by .5 and .5."""

    def __init__(self) -> None:
        super().__init__()
        mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        self.register_buffer("scale", (std / 0.5).view(3, 1, 1), persistent=False)
        self.register_buffer("shift", ((mean - 0.5) / 0.5).view(3, 1, 1), persistent=False)

    scale: Tensor
    shift: Tensor

    def forward(self, frames: Tensor) -> Tensor:
        return frames * self.scale + self.shift


class ChannelsFirst(nn.Module):
    """``(B, ..., C)`` -> ``(B, C, ...)``."""

    def forward(self, maps: Tensor) -> Tensor:
        """Move the channels."""
        return maps.movedim(-1, 1)


class ChannelsLast(nn.Module):
    """``(B, C, ...)`` -> ``(B, ..., C)``."""

    def forward(self, maps: Tensor) -> Tensor:
        """Move the channels."""
        return maps.movedim(1, -1)


class _OnlySize(nn.Module):
    """Frames of one size pass; others are refused in one line."""

    def __init__(self, name: str, side_px: int) -> None:
        super().__init__()
        self.name = name
        self.side_px = side_px

    def forward(self, frames: Tensor) -> Tensor:
        if tuple(frames.shape[2:]) != (self.side_px, self.side_px):
            raise ConfigurationError(
                f"{self.name} takes frames of {self.side_px}x{self.side_px}, got {frames.shape[2]}x{frames.shape[3]}: "
                f"set transform.crop_px to {self.side_px}"
            )
        return frames


class _VitPatches(nn.Module):
    def __init__(self, network: nn.Module, encoder: nn.Module) -> None:
        super().__init__()
        self.check = _OnlySize("vit", cast(int, network.image_size))
        self.project = network.get_submodule("conv_proj")
        self.class_token = cast(nn.Parameter, network.class_token)
        self.places = cast(nn.Parameter, encoder.pos_embedding)
        self.dropout = encoder.get_submodule("dropout")

    def forward(self, frames: Tensor) -> Tensor:
        patches = self.project(self.check(frames)).flatten(2).transpose(1, 2)  # (B, N, D)
        tokens = torch.cat([self.class_token.expand(len(patches), -1, -1), patches], dim=1)  # (B, 1 + N, D)
        return self.dropout(tokens + self.places)


class _ClassToken(nn.Module):
    def forward(self, tokens: Tensor) -> Tensor:
        return tokens[:, 0, :, None, None]  # (B, D, 1, 1)


# --- first weights ----------------------------------------------------------------------------------------------------


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
            "fetch the file on a machine with a network and give its path"
        ) from error


def _classifier_name(network: nn.Module) -> str:
    """How the names of the last layer's parameters start."""
    layers = [
        (name, module)
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d | nn.Conv3d)
    ]
    return f"{layers[-1][0]}."

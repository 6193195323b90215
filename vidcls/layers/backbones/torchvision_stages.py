"""A network of torchvision -> its stages, by family, and its read-out without the classifier."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar, cast

from torch import nn

from vidcls.layers.backbones.torchvision_modules import (
    ChannelsFirst,
    ChannelsLast,
    ClassToken,
    ImageNetToHalf,
    OnlySize,
    VitPatches,
)
from vidcls.layers.read_outs import GlobalAverage

Parts = tuple[dict[str, nn.Module], nn.Module]
"""Stages by name, and the read-out with the classifier taken off."""

Item = TypeVar("Item")


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
    stages: dict[str, nn.Module] = {"patches": VitPatches(network, encoder)}
    blocks = list(encoder.get_submodule("layers").children())
    stages |= {f"block{k}": block for k, block in enumerate(blocks, start=1)}
    stages[f"block{len(blocks)}"] = nn.Sequential(blocks[-1], encoder.get_submodule("ln"), ClassToken())
    return stages, nn.Flatten()


def _maxvit(network: nn.Module) -> Parts:
    blocks = list(network.get_submodule("blocks").children())
    stages = {"stem": nn.Sequential(OnlySize("maxvit", 224), network.get_submodule("stem"))}
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


def _inputs_as_trained(network: nn.Module, stages: dict[str, nn.Module]) -> Parts:
    """Weights of these families saw inputs of mean .5 and standard deviation .5, not those of ImageNet."""
    if getattr(network, "transform_input", False) and _first_conv(network).in_channels == 3:
        stages["block1"] = nn.Sequential(ImageNetToHalf(), stages["block1"])
    return stages, GlobalAverage()


def _first_conv(network: nn.Module) -> nn.Conv2d:
    return next(m for m in network.modules() if isinstance(m, nn.Conv2d))

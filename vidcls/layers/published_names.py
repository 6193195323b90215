"""Names of tensors of our video networks -> those of PyTorchVideo, mmaction2 and the authors' TSM.

As their published files have them: github.com/facebookresearch/pytorchvideo, github.com/open-mmlab/mmaction2 and
github.com/mit-han-lab/temporal-shift-module.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from vidcls.layers.published_weights import PublishedFormat, Triple

Rule = tuple[str, str | Callable[[re.Match[str]], str]]
"""A pattern of our whole name, and its replacement."""

KINETICS_MEAN: Triple = (0.45, 0.45, 0.45)  # PyTorchVideo's
KINETICS_STD: Triple = (0.225, 0.225, 0.225)
IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)
LETTERS = {"first": "a", "second": "b", "third": "c", "expand": "a", "depthwise": "b", "project": "c"}
NUMBERS = {"first": "1", "second": "2", "third": "3"}
PATHWAYS = {"slow": "0", "fast": "1"}
NORMS = {"conv": "conv", "norm": "bn"}


def renamer(rules: Sequence[Rule]) -> Callable[[str], str]:
    """Our name -> that of the first rule whose pattern it is; the same name where there is none."""
    compiled = [(re.compile(pattern), new) for pattern, new in rules]

    def rename(name: str) -> str:
        for pattern, new in compiled:
            if found := pattern.fullmatch(name):
                return new(found) if callable(new) else found.expand(new)
        return name

    return rename


def slowfast_formats(num_slow_features: int) -> tuple[PublishedFormat, ...]:
    """Of SlowFast.

    Args:
        num_slow_features: how many of the classifier's inputs are of the slow pathway, which are the first ones here.
    """
    block = r"backbone\.stages\.res(\d)\.(slow|fast)\.(\d+)\."
    pytorchvideo: list[Rule] = [
        (
            r"backbone\.stages\.stem\.(slow|fast)\.(.*)",
            lambda m: f"blocks.0.multipathway_blocks.{PATHWAYS[m[1]]}.{m[2]}",
        ),
        (
            r"backbone\.stages\.(stem|res(\d))\.lateral\.(conv|norm)\.(.*)",
            lambda m: f"blocks.{_block(m[2])}.multipathway_fusion.{_fusion(m[3])}.{m[4]}",
        ),
        (
            block + r"downsample\.(conv|norm)\.(.*)",
            lambda m: f"blocks.{_block(m[1])}.{_residual(m)}.branch1_{m[4]}.{m[5]}",
        ),
        (
            block + r"(first|second|third)\.(conv|norm)\.(.*)",
            lambda m: f"blocks.{_block(m[1])}.{_residual(m)}.branch2.{m[5]}_{LETTERS[m[4]]}.{m[6]}",
        ),
        (r"head\.1\.(.*)", r"blocks.6.proj.\1"),
    ]
    mmaction2: list[Rule] = [
        (
            r"backbone\.stages\.stem\.(slow|fast)\.(conv|norm)\.(.*)",
            lambda m: f"backbone.{m[1]}_path.conv1.{NORMS[m[2]]}.{m[3]}",
        ),
        (
            r"backbone\.stages\.(stem|res(\d))\.lateral\.(conv|norm)\.(.*)",
            lambda m: f"backbone.slow_path.{_layer(m[2])}_lateral.{NORMS[m[3]]}.{m[4]}",
        ),
        (
            block + r"downsample\.(conv|norm)\.(.*)",
            lambda m: f"backbone.{m[2]}_path.{_layer(m[1])}.{m[3]}.downsample.{NORMS[m[4]]}.{m[5]}",
        ),
        (
            block + r"(first|second|third)\.(conv|norm)\.(.*)",
            lambda m: f"backbone.{m[2]}_path.{_layer(m[1])}.{m[3]}.conv{NUMBERS[m[4]]}.{NORMS[m[5]]}.{m[6]}",
        ),
        (r"head\.1\.(.*)", r"cls_head.fc_cls.\1"),
    ]

    def slow_first(name: str, value: Tensor) -> Tensor:
        """mmaction2's classifier sees the fast features first."""
        if name != "head.1.weight":
            return value
        num_fast = value.shape[1] - num_slow_features
        return torch.cat([value[:, num_fast:], value[:, :num_fast]], dim=1)

    return (
        PublishedFormat(
            "PyTorchVideo",
            "blocks.0.multipathway_blocks.0.conv.weight",
            renamer(pytorchvideo),
            KINETICS_MEAN,
            KINETICS_STD,
            hint="its 8x8 on ResNet-50 has lateral_len 7, the others 5, all have lateral_norm true",
        ),
        PublishedFormat(
            "mmaction2",
            "backbone.slow_path.conv1.conv.weight",
            renamer(mmaction2),
            IMAGENET_MEAN,
            IMAGENET_STD,
            hint="its networks have lateral_norm false, and 8x8 on ResNet-50 has lateral_len 7",
            to_ours=slow_first,
        ),
    )


def x3d_formats() -> tuple[PublishedFormat, ...]:
    """Of X3D."""
    block = r"backbone\.stages\.res(\d)\.(\d+)\."
    rules: list[Rule] = [
        (r"backbone\.stages\.stem\.space\.(.*)", r"blocks.0.conv.conv_t.\1"),  # so they are called there
        (r"backbone\.stages\.stem\.time\.conv\.(.*)", r"blocks.0.conv.conv_xy.\1"),
        (r"backbone\.stages\.stem\.time\.norm\.(.*)", r"blocks.0.norm.\1"),
        (block + r"depthwise\.norm\.(.*)", lambda m: f"{_of_x3d(m)}.branch2.norm_b.0.{m[3]}"),
        (
            block + r"excitation\.(squeeze|excite)\.(.*)",
            lambda m: f"{_of_x3d(m)}.branch2.norm_b.1.block.{0 if m[3] == 'squeeze' else 2}.{m[4]}",
        ),
        (
            block + r"(expand|depthwise|project)\.(conv|norm)\.(.*)",
            lambda m: f"{_of_x3d(m)}.branch2.{m[4]}_{LETTERS[m[3]]}.{m[5]}",
        ),
        (block + r"downsample\.(conv|norm)\.(.*)", lambda m: f"{_of_x3d(m)}.branch1_{m[3]}.{m[4]}"),
        (r"backbone\.stages\.conv5\.(conv|norm)\.(.*)", r"blocks.5.pool.pre_\1.\2"),
        (r"backbone\.read_out\.1\.(.*)", r"blocks.5.pool.post_conv.\1"),
        (r"head\.1\.(.*)", r"blocks.5.proj.\1"),
    ]

    def flat(name: str, value: Tensor) -> Tensor:
        """The fully connected layer is a convolution there."""
        return value.flatten(1) if name == "backbone.read_out.1.weight" else value

    return (
        PublishedFormat(
            "PyTorchVideo",
            "blocks.0.conv.conv_t.weight",
            renamer(rules),
            KINETICS_MEAN,
            KINETICS_STD,
            hint="form xs, s and m have one size, l another",
            to_ours=flat,
        ),
    )


def tsm_formats(shifted: Iterable[str]) -> tuple[PublishedFormat, ...]:
    """Of TSM on a ResNet of torchvision.

    Args:
        shifted: our names of the convolutions whose input is shifted, which are called otherwise there.
    """
    moved = {f"{name}.weight" for name in shifted}

    def net(m: re.Match[str]) -> str:
        return ".net" if m[0] in moved else ""

    block = r"backbone\.stages\.(layer\d\.\d+)\."
    mmaction2: list[Rule] = [
        (r"backbone\.stages\.stem\.0\.(.*)", r"backbone.conv1.conv.\1"),
        (r"backbone\.stages\.stem\.1\.(.*)", r"backbone.conv1.bn.\1"),
        (block + r"conv(\d)\.(.*)", lambda m: f"backbone.{m[1]}.conv{m[2]}.conv{net(m)}.{m[3]}"),
        (block + r"bn(\d)\.(.*)", r"backbone.\1.conv\2.bn.\3"),
        (block + r"downsample\.0\.(.*)", r"backbone.\1.downsample.conv.\2"),
        (block + r"downsample\.1\.(.*)", r"backbone.\1.downsample.bn.\2"),
        (r"head\.1\.(.*)", r"cls_head.fc_cls.\1"),
    ]
    authors: list[Rule] = [
        (r"backbone\.stages\.stem\.0\.(.*)", r"base_model.conv1.\1"),
        (r"backbone\.stages\.stem\.1\.(.*)", r"base_model.bn1.\1"),
        (block + r"conv(\d)\.(.*)", lambda m: f"base_model.{m[1]}.conv{m[2]}{net(m)}.{m[3]}"),
        (block + r"(.*)", r"base_model.\1.\2"),
        (r"head\.1\.(.*)", r"new_fc.\1"),
    ]
    imagenet = (IMAGENET_MEAN, IMAGENET_STD)
    return (
        PublishedFormat("mmaction2", "backbone.conv1.conv.weight", renamer(mmaction2), *imagenet),
        PublishedFormat("the authors", "base_model.conv1.weight", renamer(authors), *imagenet),
    )


def _block(stage: str | None) -> int:
    """PyTorchVideo's number of the stem or of res2 to res5."""
    return 0 if stage is None else int(stage) - 1


def _layer(stage: str | None) -> str:
    """mmaction2's name of the stem or of res2 to res5."""
    return "conv1" if stage is None else f"layer{int(stage) - 1}"


def _fusion(kind: str) -> str:
    return "conv_fast_to_slow" if kind == "conv" else kind


def _residual(m: re.Match[str]) -> str:
    return f"multipathway_blocks.{PATHWAYS[m[2]]}.res_blocks.{m[3]}"


def _of_x3d(m: re.Match[str]) -> str:
    return f"blocks.{_block(m[1])}.res_blocks.{m[2]}"

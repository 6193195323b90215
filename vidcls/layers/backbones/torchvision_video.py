"""Video networks of torchvision by name -> backbones over clips."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from vidcls.errors import ConfigurationError
from vidcls.layers.backbones.base import Backbone
from vidcls.layers.backbones.torchvision_modules import ChannelsFirst, ChannelsLast
from vidcls.layers.backbones.torchvision_zoo import build_torchvision
from vidcls.layers.read_outs import GlobalAverage
from vidcls.layers.stems import replace_stem

INPUT_LEN = 16
SIDE_PX = {"mvit": 224, "swin3d": 224, "s3d": 224}  # the others were made for 112
TRANSFORMERS = ("mvit", "swin3d")


class TorchvisionVideoBackbone(Backbone):
    """A video network of torchvision up to the features before its classifier.

    ``r3d_18``, ``mc3_18``, ``r2plus1d_18`` (Tran et al. 2018), ``s3d`` (Xie et al. 2018), ``mvit_v1_b``, ``mvit_v2_s``
    (Fan et al. 2021, Li et al. 2022), ``swin3d_t``, ``swin3d_s``, ``swin3d_b`` (Liu et al. 2022).

    Deviations: the features of ``s3d`` are the mean over all places and times, which equals torchvision's own pooling
    for 16 frames of 224x224. The maps of an ``mvit`` are its class token, one place.

    Args:
        name: torchvision's name.
        in_channels: C of the input; another number than 3 replaces the first convolution, see
            :class:`TorchvisionBackbone`.
        weights: see :class:`TorchvisionBackbone`.
    """

    def __init__(self, name: str, in_channels: int = 3, *, weights: str | None = None) -> None:
        network = build_torchvision(name, weights)
        replace_stem(network, in_channels, keep_weights=weights is not None)
        family = next(family for family in FAMILIES if name.startswith(family))
        stages, read_out, num_features = FAMILIES[family](network)
        side_px = SIDE_PX.get(family, 112)
        super().__init__(stages, read_out, num_features=num_features, input_px=(side_px, side_px), input_len=INPUT_LEN)
        self.sees_all_frames = family in TRANSFORMERS


def torchvision_video_names() -> list[str]:
    """The names that :class:`TorchvisionVideoBackbone` takes."""
    from torchvision import models

    return models.list_models(module=models.video)


def _resnet(network: nn.Module) -> tuple[dict[str, nn.Module], nn.Module, int]:
    names = ("stem", "layer1", "layer2", "layer3", "layer4")
    return (
        {name: network.get_submodule(name) for name in names},
        GlobalAverage(),
        network.get_submodule("fc").in_features,
    )  # type: ignore[return-value]


def _s3d(network: nn.Module) -> tuple[dict[str, nn.Module], nn.Module, int]:
    """Five stages, cut before each pool."""
    stages: list[list[nn.Module]] = [[]]
    for module in network.get_submodule("features").children():
        if isinstance(module, nn.MaxPool3d):
            stages.append([])
        stages[-1].append(module)
    return {f"block{k}": nn.Sequential(*stage) for k, stage in enumerate(stages, start=1)}, GlobalAverage(), 1024


def _swin(network: nn.Module) -> tuple[dict[str, nn.Module], nn.Module, int]:
    """A stage begins with its patch merging; torchvision's maps have the channels last, ours first."""
    features = list(network.get_submodule("features").children())  # stage, merging, stage, merging, ...
    get = network.get_submodule
    norm = get("norm")
    assert isinstance(norm, nn.LayerNorm)
    groups = [features[:1], features[1:3], features[3:5], [*features[5:], norm]]
    stages: dict[str, nn.Module] = {"patches": nn.Sequential(get("patch_embed"), get("pos_drop"), ChannelsFirst())}
    stages |= {
        f"stage{k}": nn.Sequential(ChannelsLast(), *group, ChannelsFirst()) for k, group in enumerate(groups, start=1)
    }
    return stages, GlobalAverage(), norm.normalized_shape[0]


def _mvit(network: nn.Module) -> tuple[dict[str, nn.Module], nn.Module, int]:
    get = network.get_submodule
    norm = get("norm")
    assert isinstance(norm, nn.LayerNorm)
    blocks = list(get("blocks").children())
    stages: dict[str, nn.Module] = {"patches": _MvitPatches(get("conv_proj"), get("pos_encoding"))}
    stages |= {f"block{k}": _MvitBlock(block) for k, block in enumerate(blocks[:-1], start=1)}
    stages[f"block{len(blocks)}"] = nn.Sequential(_MvitBlock(blocks[-1]), _ClassToken(norm))
    return stages, nn.Flatten(), norm.normalized_shape[0]


Tokens = tuple[Tensor, tuple[int, int, int]]


class _MvitPatches(nn.Module):
    def __init__(self, project: nn.Module, encode: nn.Module) -> None:
        super().__init__()
        self.project = project
        self.encode = encode
        self.grid: tuple[int, int, int] = (encode.temporal_size, *encode.spatial_size)  # type: ignore[misc]

    def forward(self, clip: Tensor) -> Tokens:
        patches = self.project(clip)  # (B, D, T/2, H/4, W/4)
        if tuple(patches.shape[2:]) != self.grid:
            raise ConfigurationError(
                f"mvit takes 16 frames of 224x224, got {clip.shape[2]} of {clip.shape[3]}x{clip.shape[4]}: set "
                "clip_len and transform.crop_px to these"
            )
        return self.encode(patches.flatten(2).transpose(1, 2)), self.grid


class _MvitBlock(nn.Module):
    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, tokens: Tokens) -> Tokens:
        return self.block(*tokens)


class _ClassToken(nn.Module):
    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, tokens: Tokens) -> Tensor:
        return self.norm(tokens[0])[:, 0, :, None, None, None]  # (B, D, 1, 1, 1)


FAMILIES: dict[str, Callable[[nn.Module], tuple[dict[str, nn.Module], nn.Module, int]]] = {
    "r3d": _resnet,
    "mc3": _resnet,
    "r2plus1d": _resnet,
    "s3d": _s3d,
    "mvit": _mvit,
    "swin3d": _swin,
}

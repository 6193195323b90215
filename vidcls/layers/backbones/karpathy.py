"""The network of Karpathy et al. 2014, over frames or, slowly fused, over clips."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from vidcls.layers.backbones.base import Backbone
from vidcls.layers.read_outs import FlattenMaps, OverTime
from vidcls.layers.settings import LayerSettings

INPUT_PX = 170
TOWER_PX = 89  # of fovea and context; without the last pool, so that both ends are 7x7
NUM_STAGES = 5


class Karpathy(Backbone):
    """Five convolutions and two fully connected layers.

    C(96,11,3) N P C(256,5,1) N P C(384,3,1) C(384,3,1) C(256,3,1) P FC(4096) FC(4096), where C(d, f, s) is d filters of
    f x f with stride s and ReLU; N is local response normalisation (k 2, n 5, alpha 1e-4, beta .5); P is max pooling
    2x2. Input 170x170, or 89x89 without the last pool. Karpathy, Toderici, Shetty, Leung, Sukthankar, Fei-Fei:
    Large-Scale Video Classification with Convolutional Neural Networks, CVPR 2014, section 3.

    With extents in time the first convolutions span frames (slow fusion): 4 frames every 2, then 2 every 2, then 2, so
    that the third layer sees all 10 frames; the input is then ``(B, C, T, H, W)``. The features of responses that are
    left in time, with longer clips, are averaged.

    Deviations: padding is not printed. Here the first convolution has none, the others keep the size and pools round
    up: 170 -> 54 -> 27 -> 14 -> 7, and 89 -> 27 -> 14 -> 7 without the last pool. Dropout is not printed; it is .5, as
    in the net of Krizhevsky et al. 2012 which this one follows. PyTorch divides the alpha of N by its size, hence 5e-4.

    Args:
        in_channels: 3 for RGB, 3 T for T frames at once (early fusion).
        extents: frames that each of the five convolutions spans; all 1 by default. More than 1 in any makes the
            network one over clips.
        strides: steps of the convolutions in time; all 1 by default.
        last_pool: false for fovea and context towers of 89x89.
        dropout: share of the units of both fully connected layers that are dropped while training.
        layers: normalisation (N in the paper, in its two places), activation and initial weights; another normalisation
            comes before every activation.
        num_towers: see :class:`Backbone`; the first fully connected layer sees the maps of all towers.
    """

    def __init__(
        self,
        in_channels: int = 3,
        *,
        extents: Sequence[int] = (),
        strides: Sequence[int] = (),
        last_pool: bool = True,
        dropout: float = 0.5,
        layers: LayerSettings | None = None,
        num_towers: int = 1,
    ) -> None:
        layers = layers or LayerSettings()
        in_time = [*zip(extents, strides, strict=True)] + [(1, 1)] * (NUM_STAGES - len(extents))
        over_clips = bool(extents)

        def stage(k: int, c_in: int, c_out: int, side: int, stride: int, *after: nn.Module) -> nn.Sequential:
            padding = 0 if k == 0 else side // 2
            (extent, step), conv = in_time[k], nn.Conv2d(c_in, c_out, side, stride=stride, padding=padding)
            if over_clips:
                size, steps, borders = (extent, side, side), (step, stride, stride), (0, padding, padding)
                conv = nn.Conv3d(c_in, c_out, size, stride=steps, padding=borders)  # type: ignore[assignment]
            norm = () if layers.norm is None else (layers.make_norm(c_out, nn.BatchNorm2d, in_3d=over_clips),)
            return nn.Sequential(conv, *norm, layers.make_activation(), *after)

        def lrn() -> nn.Module:
            own = nn.LocalResponseNorm(size=5, alpha=5e-4, beta=0.5, k=2.0)
            return own if layers.norm is None else nn.Identity()

        def pool() -> nn.Module:
            if over_clips:
                return nn.MaxPool3d((1, 2, 2), ceil_mode=True)
            return nn.MaxPool2d(2, ceil_mode=True)

        last = (pool(),) if last_pool else ()
        stages: dict[str, nn.Module] = {
            "conv1": stage(0, in_channels, 96, 11, 3, lrn(), pool()),  # (B, 96, 27, 27)
            "conv2": stage(1, 96, 256, 5, 1, lrn(), pool()),  # (B, 256, 14, 14)
            "conv3": stage(2, 256, 384, 3, 1),  # (B, 384, 14, 14)
            "conv4": stage(3, 384, 384, 3, 1),  # (B, 384, 14, 14)
            "conv5": stage(4, 384, 256, 3, 1, *last),  # (B, 256, 7, 7)
        }
        side_px = INPUT_PX if last_pool else TOWER_PX
        expects = f"karpathy takes {side_px}x{side_px}" if last_pool else "karpathy takes 178x178 as fovea and context"
        read_out = nn.Sequential(
            FlattenMaps((256 * num_towers, 7, 7), expects=expects),
            nn.Linear(256 * num_towers * 7 * 7, 4096),
            layers.make_activation(),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096),
            layers.make_activation(),
            nn.Dropout(dropout),
        )
        super().__init__(
            stages,
            OverTime(read_out) if over_clips else read_out,
            num_features=4096,
            input_px=(side_px, side_px),
            input_len=frames_for_one(extents, strides) if over_clips else None,
        )
        layers.initialise(self)


def frames_for_one(extents: Sequence[int], strides: Sequence[int]) -> int:
    """Frames that one response sees after convolutions of these extents and strides in time."""
    num_frames = 1
    for extent, stride in zip(reversed(extents), reversed(strides), strict=True):
        num_frames = (num_frames - 1) * stride + extent
    return num_frames

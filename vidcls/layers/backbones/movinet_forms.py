"""The layers that a search found for each form of MoViNet.

Kondratyuk et al.: MoViNets: Mobile Video Networks for Efficient Video Recognition, CVPR 2021, and the authors' code,
github.com/tensorflow/models (official/projects/movinet).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Form = Literal["tiny", "a0", "a1", "a2", "a3", "a4", "a5"]
CAUSAL_FORMS: tuple[Form, ...] = ("tiny", "a0", "a1", "a2")
"""The others need an encoding of time in squeeze-and-excitation, which is not here."""
STRIDES = (2, 2, 2, 1, 2)  # of the first block of block2 to block6, in space
KERNELS = {"13": (1, 3, 3), "15": (1, 5, 5), "33": (3, 3, 3), "53": (5, 3, 3)}


@dataclass(frozen=True)
class Layers:
    """What the search found.

    Args:
        num_frames: of a clip, for which it was found.
        side_px: one side of the frames.
        fps: frames per second that it was found for; for information alone.
        stem: channels of the first convolution.
        blocks: of block2 to block6 the channels, then for each block its inner channels and its kernel: ``184/53`` has
            184, and a depthwise 5x3x3.
        num_maps: channels of the last convolution.
        num_features: of the fully connected layer before the classifier.
    """

    num_frames: int
    side_px: int
    fps: float
    stem: int
    blocks: tuple[tuple[int, str], ...]
    num_maps: int
    num_features: int = 2048


FORMS: dict[Form, Layers] = {
    "tiny": Layers(
        8,
        64,
        25,
        8,
        ((8, "16/13"), (16, "32/33"), (24, "48/33 48/33"), (24, "48/53"), (32, "64/33")),
        96,
        num_features=128,
    ),  # ours, for a CPU
    "a0": Layers(
        50,
        172,
        5,
        8,
        (
            (8, "24/15"),
            (32, "80/33 80/33 80/33"),
            (56, "184/53 112/33 184/33"),
            (56, "184/53 184/33 184/33 184/33"),
            (104, "384/53 280/15 280/15 344/15"),
        ),
        480,
    ),
    "a1": Layers(
        50,
        172,
        5,
        16,
        (
            (16, "40/15 40/33"),
            (40, "96/33 120/33 96/33 96/33"),
            (64, "216/53 128/33 216/33 168/33 216/33"),
            (64, "216/53 216/33 216/33 128/33 128/15 216/33"),
            (136, "456/53 360/15 360/15 360/15 456/15 456/33 544/13"),
        ),
        600,
    ),
    "a2": Layers(
        50,
        224,
        5,
        16,
        (
            (16, "40/15 40/33 64/33"),
            (40, "96/33 120/33 96/33 96/33 120/33"),
            (72, "240/53 160/33 240/33 192/33 240/33"),
            (72, "240/53 240/33 240/33 240/33 144/15 240/33"),
            (144, "480/53 384/15 384/15 480/15 480/15 480/33 576/13"),
        ),
        640,
    ),
    "a3": Layers(
        120,
        256,
        12,
        16,
        (
            (16, "40/15 40/33 64/33 40/33"),
            (48, "112/33 144/33 112/33 112/15 144/33 144/33"),
            (80, "240/53 152/33 240/33 192/33 240/33"),
            (88, "264/53 264/33 264/33 264/33 160/15 264/33 264/33 264/33"),
            (168, "560/53 448/15 448/15 560/15 560/15 560/33 448/15 448/15 560/33 672/13"),
        ),
        744,
    ),
    "a4": Layers(
        80,
        290,
        8,
        24,
        (
            (24, "64/15 64/33 96/33 64/33 96/33 64/33"),
            (56, "168/33 168/33 136/33 136/33 168/33 168/33 168/33 136/15 136/33"),
            (96, "320/53 160/33 320/33 192/33 320/33 160/33 320/33 256/33 320/33"),
            (96, "320/53 320/33 320/33 320/33 192/15 320/33 320/33 192/33 320/33 320/33"),
            (
                192,
                "640/53 512/15 512/15 640/15 640/15 640/33 512/15 512/15 640/15 768/15 640/15 640/33 768/33",
            ),
        ),
        856,
    ),
    "a5": Layers(
        120,
        320,
        12,
        24,
        (
            (24, "64/15 64/15 96/33 64/33 96/33 64/33"),
            (64, "192/53 152/33 152/33 152/33 192/33 192/33 192/33 152/33 152/33 192/33 192/33"),
            (112, "376/53 224/33 376/33 376/33 296/33 376/33 224/33 376/33 376/33 296/33 376/33 376/33 376/33"),
            (120, "376/53 376/33 376/33 376/33 224/15 376/33 376/33 224/33 376/33 376/33 376/33"),
            (
                224,
                "744/53 744/33 600/15 600/15 744/15 744/15 744/33 896/15 600/15 600/15 896/15 744/15 744/33 896/15 "
                "600/15 600/15 744/15 744/33",
            ),
        ),
        992,
    ),
}

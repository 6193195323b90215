"""What happens to the pixels of a clip, as plain facts that a configuration gives and a checkpoint keeps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Crop = Literal["center", "random", "random_resized", "multi_scale"]
TestCrops = Literal[1, 2, 3, 10]
MIRRORED = (2, 10)  # the numbers of crops of which half are mirrored


@dataclass(frozen=True)
class TransformSettings:
    """From decoded frames to the tensor that a network sees; the same draw for every frame, for RGB and for flow.

    Args:
        resize_px: short side in pixels after the first resize, for training and testing; none keeps the video's size.
        crop_px: what the network sees, in pixels: one side of a square, or height and width.
        stretch: the whole frame is resized to ``crop_px``, whatever its shape, so that nothing of it is cut off, in
            place of ``resize_px`` and a crop of it.
        train_crop: where the training crop lies. ``center``; ``random`` anywhere; ``random_resized`` with an area of
            ``min_area`` to 1 of the frame and an aspect of 3/4 to 4/3; ``multi_scale`` a corner or the centre with
            sides of 1, .875, .75 or .66 of the short side, at most one of these steps apart (Wang et al. 2016, TSN).
        min_area: smallest share of the frame that ``random_resized`` may take.
        flip_probability: share of training samples that are mirrored left to right.
        flip_label_swaps: class names that change into each other when mirrored, as ``left_turn: right_turn``;
            one direction is enough.
        color_jitter: strength of random brightness, contrast and saturation (0 to 1), RGB only.
        test_crops: crops per test clip. 1 the centre; 2 the centre and its mirror image; 3 along the longer side; 10
            the corners and the centre, and these mirrored.
        rgb_mean: mean of the red, green and blue channel on the scale 0 to 1, subtracted.
        rgb_std: standard deviation of the red, green and blue channel on the scale 0 to 1, divided by.
        flow_subtract_mean: whether the mean of each field is subtracted, against the motion of the camera
            (Simonyan and Zisserman 2014).
        flow_std_px: flow is divided by so many pixels per frame.
    """

    resize_px: int | None = 256
    crop_px: int | tuple[int, int] = 224
    train_crop: Crop = "random"
    min_area: float = 0.3
    flip_probability: float = 0.5
    flip_label_swaps: dict[str, str] = field(default_factory=dict)
    color_jitter: float = 0.0
    test_crops: TestCrops = 1
    rgb_mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    rgb_std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    flow_subtract_mean: bool = True
    flow_std_px: float = 1.0
    stretch: bool = False

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        if min(self.crop_size) < 1:
            raise ValueError(f"crop_px must be at least 1, got {self.crop_px}")
        if self.resize_px is not None and self.resize_px < min(self.crop_size) and not self.stretch:
            raise ValueError(f"resize_px ({self.resize_px}) must not be smaller than crop_px ({self.crop_px})")
        if not 0 <= self.flip_probability <= 1:
            raise ValueError(f"flip_probability must lie in 0 to 1, got {self.flip_probability}")
        if not 0 <= self.color_jitter <= 1:
            raise ValueError(f"color_jitter must lie in 0 to 1, got {self.color_jitter}")
        if not 0 < self.min_area <= 1:
            raise ValueError(f"min_area must lie in 0 (excluded) to 1, got {self.min_area}")
        if self.flow_std_px <= 0 or min(self.rgb_std) <= 0:
            raise ValueError("rgb_std and flow_std_px must be positive")
        if self.test_crops in MIRRORED and self.flip_label_swaps:
            raise ValueError(
                f"test_crops={self.test_crops} mirrors the clip, which changes the classes of flip_label_swaps: use 1 "
                "or 3"
            )

    @property
    def crop_size(self) -> tuple[int, int]:
        """Height and width of the crop in pixels."""
        return (self.crop_px, self.crop_px) if isinstance(self.crop_px, int) else self.crop_px

    @property
    def short_side_px(self) -> int | None:
        """The short side with which a video has all the pixels that are used of it; None where that is its own."""
        return max(self.crop_size) if self.stretch else self.resize_px

    def swapped_label(self, label: str) -> str:
        """The class of a mirrored clip of class ``label``."""
        both_ways = {**{after: before for before, after in self.flip_label_swaps.items()}, **self.flip_label_swaps}
        return both_ways.get(label, label)

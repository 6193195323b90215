"""What happens to the pixels of a clip, as plain facts that a configuration gives and a checkpoint keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Crop = Literal["center", "random", "random_resized", "multi_scale"]
TestCrops = Literal[1, 2, 3, 10]
MIRRORED = (2, 10)  # the numbers of crops of which half are mirrored
NUM_MAGNITUDES = 31  # of RandAugment, from 0 on
MOST_PX = 16_384  # of a side, twice that of 8K video: settings may come from a stranger's file


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
        rotation_degrees: training clips are turned by up to so many degrees, either way, and their flow with them.
        shear_degrees: they are sheared along both axes by up to so many degrees, either way.
        scale_range: smallest and largest factor by which they are scaled around their centre, such as ``[0.8, 1.2]``.
            Beyond the picture lies the colour ``rgb_mean``, and nothing moves.
        rand_augment: operations of RandAugment for each training clip, such as 2 (Cubuk et al. 2020); the same for all
            frames. What turns, shears or shifts is done to flow as motion, colours change in RGB only.
        rand_augment_magnitude: strength of these operations, 0 to 30.
        erasing_probability: share of training clips of which one box is erased, the same in all frames and fields
            (RandomErasing, Zhong et al. 2020): RGB becomes ``rgb_mean``, flow zero.
        erasing_area: smallest and largest share of the frame that is erased.
        reverse_probability: share of training samples that are played backwards, of the videos that may be; their flow
            is that of the video played backwards.
        reverse_labels: class names that change into each other when played backwards, as ``opening: closing``; one
            direction is enough. A class with itself keeps its label; one that is not named is never reversed.
        reverse_others: classes that ``reverse_labels`` does not name are played backwards too, and keep their label.
        speed_range: training clips are played at a speed between these factors, such as ``[0.5, 2]``, of which half and
            twice as fast are equally likely: their stride is multiplied by it, and flow is that of the faster video.
        speed_labels: slower class -> faster class, as ``walking: running``: a clip that is played fast, or slowly,
            enough gets the label of the other one. Classes that are not named keep their label at every speed.
        speed_labels_from: speed from which a slower class becomes the faster; from 1 over it the faster the slower.
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
    rotation_degrees: float = 0.0
    shear_degrees: float = 0.0
    scale_range: tuple[float, float] = (1.0, 1.0)
    rand_augment: int = 0
    rand_augment_magnitude: int = 9
    erasing_probability: float = 0.0
    erasing_area: tuple[float, float] = (0.02, 0.33)
    reverse_probability: float = 0.0
    reverse_labels: dict[str, str] = field(default_factory=dict)
    reverse_others: bool = False
    speed_range: tuple[float, float] = (1.0, 1.0)
    speed_labels: dict[str, str] = field(default_factory=dict)
    speed_labels_from: float = 1.5

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        if min(self.crop_size) < 1:
            raise ValueError(f"crop_px must be at least 1, got {self.crop_px}")
        if max(self.crop_size) > MOST_PX:
            raise ValueError(f"crop_px must lie in 1 to {MOST_PX}, got {self.crop_px}")
        if self.resize_px is not None and self.resize_px > MOST_PX:
            raise ValueError(f"resize_px must be at most {MOST_PX}, got {self.resize_px}")
        if self.resize_px is not None and self.resize_px < min(self.crop_size) and not self.stretch:
            raise ValueError(f"resize_px ({self.resize_px}) must not be smaller than crop_px ({self.crop_px})")
        if not 0 <= self.flip_probability <= 1:
            raise ValueError(f"flip_probability must lie in 0 to 1, got {self.flip_probability}")
        if not 0 <= self.color_jitter <= 1:
            raise ValueError(f"color_jitter must lie in 0 to 1, got {self.color_jitter}")
        if not 0 < self.min_area <= 1:
            raise ValueError(f"min_area must lie in 0 (excluded) to 1, got {self.min_area}")
        self._check_augmentation()
        self._check_time()
        _check_both_ways("flip_label_swaps", self.flip_label_swaps, "mirrored")
        _check_both_ways("reverse_labels", self.reverse_labels, "reversed")
        if self.flow_std_px <= 0 or min(self.rgb_std) <= 0:
            raise ValueError("rgb_std and flow_std_px must be positive")
        if self.test_crops in MIRRORED and self.flip_label_swaps:
            raise ValueError(
                f"test_crops={self.test_crops} mirrors the clip, which changes the classes of flip_label_swaps: use 1 "
                "or 3"
            )

    def _check_augmentation(self) -> None:
        if not 0 <= self.rotation_degrees <= 180:
            raise ValueError(f"rotation_degrees must lie in 0 to 180, got {self.rotation_degrees}")
        if not 0 <= self.shear_degrees < 90:
            raise ValueError(f"shear_degrees must lie in 0 to 90 (excluded), got {self.shear_degrees}")
        if not 0 < self.scale_range[0] <= self.scale_range[1]:
            raise ValueError(f"scale_range is the smallest and the largest factor, above 0, got {self.scale_range}")
        if self.rand_augment < 0:
            raise ValueError(f"rand_augment is a number of operations, 0 or more, got {self.rand_augment}")
        if not 0 <= self.rand_augment_magnitude < NUM_MAGNITUDES:
            raise ValueError(
                f"rand_augment_magnitude must lie in 0 to {NUM_MAGNITUDES - 1}, got {self.rand_augment_magnitude}"
            )
        if not 0 <= self.erasing_probability <= 1:
            raise ValueError(f"erasing_probability must lie in 0 to 1, got {self.erasing_probability}")
        if not 0 < self.erasing_area[0] <= self.erasing_area[1] <= 1:
            raise ValueError(f"erasing_area is the smallest and the largest share, in 0 to 1, got {self.erasing_area}")

    def _check_time(self) -> None:
        if not 0 <= self.reverse_probability <= 1:
            raise ValueError(f"reverse_probability must lie in 0 to 1, got {self.reverse_probability}")
        if self.reverse_probability > 0 and not self.reverse_labels and not self.reverse_others:
            raise ValueError(
                "reverse_probability has no effect, since no class may be played backwards: name classes in "
                "reverse_labels, or set reverse_others"
            )
        if self.reverse_probability == 0 and (self.reverse_labels or self.reverse_others):
            raise ValueError("reverse_labels and reverse_others have no effect: set reverse_probability too")
        if not 0 < self.speed_range[0] <= self.speed_range[1]:
            raise ValueError(f"speed_range is the smallest and the largest factor, above 0, got {self.speed_range}")
        if self.speed_labels and self.speed_range == (1.0, 1.0):
            raise ValueError("speed_labels have no effect: set speed_range too")
        if len(set(self.speed_labels.values())) < len(self.speed_labels):
            raise ValueError(f"two of speed_labels become the same class: {self.speed_labels}")
        if self.speed_labels_from <= 1:
            raise ValueError(f"speed_labels_from must be above 1, got {self.speed_labels_from}")

    @property
    def changes_time(self) -> bool:
        """Whether training clips may be played backwards, or at another speed."""
        return self.reverse_probability > 0 or self.speed_range != (1.0, 1.0)

    @property
    def changes_labels(self) -> bool:
        """Whether a training clip may get another class than its video has."""
        swaps = self.flip_label_swaps if self.flip_probability > 0 else {}
        maps = (swaps, self.reverse_labels, self.speed_labels)
        return any(one != other for each in maps for one, other in each.items())

    @property
    def is_affine(self) -> bool:
        """Whether training clips are turned, sheared or scaled."""
        return self.rotation_degrees > 0 or self.shear_degrees > 0 or self.scale_range != (1.0, 1.0)

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


def _check_both_ways(setting: str, labels: Mapping[str, str], done: str) -> None:
    """Refuse a map that is not undone by doing the same again."""
    for before, after in labels.items():
        others = {name for name, other in labels.items() if other == after} | {labels.get(after, before)}
        odd = sorted(others - {before})
        if odd:
            raise ValueError(
                f"{setting} contradicts itself: a clip of {before!r} becomes one of {after!r}, which {done} again must "
                f"be {before!r}, not {odd[0]!r}"
            )

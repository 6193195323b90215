"""The ways in which two discs can move -> clips of two scenes, one above the other, that have up to two classes.

What a network can reach with them, as mAP over the eight classes such as ``red_left``; each scene is filmed in all 49
ways, ten of which have a given class::

    single frames        1/4    .25   which colours there are: of 40 ways with a red disc 10 have it move to the left
    flow, grey motion    29/45  .64   which motions there are: 2 ways with both to the left; 16 with one of them, half
                                      of which is the red one: 2/10 * 1 + 8/10 * 10/18
    both, fused by class 31/40  .78   colours and motions, not which belong together: 4 ways that are certain, and 12
                                      with both colours of which one moves to the left: 4/10 * 1 + 6/10 * 10/16
    joint                1      1.00  where the colour is, and where the motion
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidcls.class_names import label_text
from vidcls.datasets.moving_scene import APPEARANCES, MOTIONS, Scene, make_scenes
from vidcls.types import SPLITS, VideoRecord
from vidcls.video.source import LocalFile

CEILINGS = {"frame": 1 / 4, "flow": 29 / 45, "fused by class": 31 / 40, "joint": 1.0}
"""mAP of what knows nothing but that; see above."""


class Disc(NamedTuple):
    """What a disc does."""

    appearance: str
    motion: str

    @property
    def label(self) -> str:
        """Its class, such as ``red_left``."""
        return f"{self.appearance}_{self.motion}"


class Way(NamedTuple):
    """The discs of a clip; None where there is none."""

    upper: Disc | None
    lower: Disc | None

    @property
    def classes(self) -> tuple[str, ...]:
        """What moves how, in the order of the names."""
        return tuple(sorted(disc.label for disc in self if disc is not None))

    @property
    def name(self) -> str:
        """For a file."""
        return "-".join("none" if disc is None else disc.label for disc in self)


DISCS = tuple(Disc(appearance, motion) for appearance, motion in product(APPEARANCES, MOTIONS))
_OPTIONS = (None, *DISCS)
WAYS = tuple(
    Way(upper, lower)
    for upper, lower in product(_OPTIONS, _OPTIONS)
    if upper is None or lower is None or upper.appearance != lower.appearance
)
"""No disc, one of eight above or below, or two of different colours: 1 + 8 + 8 + 32."""


def records_of(folder: Path, sizes: dict[str, int]) -> list[VideoRecord]:
    """The clips of all splits.

    Args:
        folder: of the files.
        sizes: clips by split, multiples of 49.
    """
    return [
        VideoRecord(
            source=LocalFile(folder / f"{split}/{scene:04d}/{way.name}.mp4"),
            label=label_text(way.classes),
            split=split,
            name=f"{split}/{scene:04d}/{way.name}.mp4",
            group=f"{split}-{scene:04d}",
            several=None if len(way.classes) == 1 else way.classes,
        )
        for split in SPLITS
        for scene in range(sizes[split] // len(WAYS))
        for way in WAYS
    ]


def frames_of(scenes: tuple[Scene, Scene], way: Way, num_frames: int) -> NDArray[np.uint8]:
    """``(T, 3, H, W)`` RGB: the upper scene with its disc, and below it the lower one."""
    halves = [
        scene.frames(None if disc is None else disc.appearance, "left" if disc is None else disc.motion, num_frames)
        for scene, disc in zip(scenes, way, strict=True)
    ]
    return np.concatenate(halves, axis=2)


def make_pairs(num_scenes: int, *, size_px: int, seed: tuple[int, ...]) -> list[tuple[Scene, Scene]]:
    """An upper and a lower scene of half the height for each clip; a frame is ``(size_px, size_px)``."""
    upper, lower = (
        make_scenes(num_scenes, size_px=size_px, height_px=size_px // 2, seed=(*seed, half)) for half in (2, 3)
    )
    return list(zip(upper, lower, strict=True))


def way_of(record: VideoRecord) -> Way:
    """That in which the clip of a record is filmed."""
    return _BY_NAME[Path(record.name).stem]


_BY_NAME = {way.name: way for way in WAYS}

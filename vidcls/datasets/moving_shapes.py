"""A seed -> video files of moving discs, written once: the data set that is always at hand."""

from __future__ import annotations

import csv
import hashlib
import json
import logging
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vidcls.datasets.base import VideoDataset
from vidcls.datasets.checks import first_few
from vidcls.datasets.moving_scene import APPEARANCES, MOTIONS, make_scenes
from vidcls.datasets.tones import PITCHES, tone_of
from vidcls.datasets.two_shapes import WAYS, frames_of, make_pairs, records_of, way_of
from vidcls.datasets.written_folder import may_be_replaced, write_once
from vidcls.errors import DatasetError
from vidcls.files import cache_folder
from vidcls.types import SPLITS, VideoRecord
from vidcls.video.source import LocalFile

_log = logging.getLogger(__name__)
_DIGEST = re.compile("[0-9a-f]{16}")
_FLOW = re.compile("[0-9a-f]{16}_flow")  # which the demo stores beside the videos
_VERSION = 1  # of the pictures: a change gives other folders
CLASSES = tuple(f"{appearance}_{motion}" for appearance in APPEARANCES for motion in MOTIONS)
FPS = 25
DEFAULT_SIZES = {1: {"train": 768, "val": 256, "test": 512}, 2: {"train": 1568, "val": 392, "test": 784}}
"""Clips by split, by the number of objects."""


class MovingShapes(VideoDataset):
    """Eight classes of H.264 files, such as ``red_left``: a disc in one of two colours moves in one of four directions.

    Made so that it shows what a stream can see, and no more::

        a spatial model  (single frames)      at best  .25   the colour, and a guess among four directions
        a temporal model (flow, grey motion)  at best  .50   the direction, and a guess between two colours
        a joint model                         at best 1.00

    - One frame cannot tell the motion. Every scene (background, texture, place) is filmed in all eight classes, and
      in the middle frame the disc of all four motions is at the same place: four files with the same picture and four
      labels, so not even a model that knows all files by heart gets above .25 there. At every other frame, x and y of
      the disc have the same histogram in all classes (it wraps around the edges). The encoding is lossless, so that
      no trace of it tells the direction.
    - Motion cannot tell the colour: both have the same luma, pixel by pixel. In grey, a single frame does not even
      show the disc.
    - A scene is a group and is in one split only.

    With ``num_objects=2`` a clip has two scenes, one above the other, each with a disc or without: up to two classes,
    for ``--task multi_label``. One frame then reaches a mAP of .25, flow .64, streams that are fused by their classes
    .78, and a joint model 1.00 (:mod:`vidcls.datasets.two_shapes`).

    With ``sound=True`` each clip has a tone, high or low, and each class is filmed with both: sixteen classes such as
    ``red_left_high``. One frame then reaches at best 1/8, flow 1/4, and sound 1/8; frame and flow 1/2, frame and sound
    1/4, flow and sound 1/2, and all three 1.00 (:mod:`vidcls.datasets.tones`).

    The files lie in a cache folder named after the parameters, in the layout of `VideoFolder` and with a
    ``clips.csv`` for `VideoCsv`; `prepare` writes them if they are not there (8 s and 15 MB by default, on a laptop). A
    horizontal flip turns right into left: do not flip, or swap the labels.

    Args:
        root: folder in which the folder of files is made; default: ``vidcls/moving_shapes`` in ``$XDG_CACHE_HOME`` or
            ``~/.cache``.
        num_train: training clips, a multiple of 8, of 16 with sound, or of 49 with two objects; default: 768, or 1568.
        num_val: validation clips, a multiple of the same; default: 256, or 392.
        num_test: test clips, a multiple of the same; multiples of ``4 * size_px``, with two objects of
            ``49 / 2 * size_px``, make the histograms exactly equal; default: 512, or 784.
        num_frames: frames per clip; the disc moves 2 px per frame.
        size_px: height and width of the frames, a multiple of 16.
        seed: of everything random.
        num_objects: discs in a clip: 1, or up to 2, for several labels or none.
        sound: give each clip a tone that is a part of its class; with one object.

    Raises:
        ValueError: a number is not a multiple as said above.
        DatasetError: ``root`` holds anything else than such folders.
    """

    root: Path

    def __init__(
        self,
        root: Path | None = None,
        *,
        num_train: int | None = None,
        num_val: int | None = None,
        num_test: int | None = None,
        num_frames: int = 16,
        size_px: int = 64,
        seed: int = 0,
        num_objects: Literal[1, 2] = 1,
        sound: bool = False,
    ) -> None:
        if num_objects not in DEFAULT_SIZES:
            raise ValueError(f"num_objects is {num_objects}: expected 1 or 2")
        if sound and num_objects > 1:
            raise ValueError(f"num_objects is {num_objects}, and sound is made for one: set num_objects 1, or no sound")
        classes = tuple(f"{name}_{pitch}" for name in CLASSES for pitch in PITCHES) if sound else CLASSES
        asked = {"train": num_train, "val": num_val, "test": num_test}
        sizes = {split: DEFAULT_SIZES[num_objects][split] if num is None else num for split, num in asked.items()}
        step, what = (len(classes), "class") if num_objects == 1 else (len(WAYS), "way in which two discs can move")
        for split, num_clips in sizes.items():
            if num_clips < step or num_clips % step:
                raise ValueError(
                    f"num_{split} is {num_clips}: expected a multiple of {step}, one clip per {what} and scene"
                )
        if size_px < 32 or size_px % 16:
            raise ValueError(f"size_px is {size_px}: expected a multiple of 16 from 32 on")
        if num_frames < 2:
            raise ValueError(f"num_frames is {num_frames}: expected at least 2, so that something moves")
        self._num_frames, self._size_px, self._seed = num_frames, size_px, seed
        self._num_objects = num_objects
        self._classes, self._has_sound = classes, sound
        parameters: list[object] = [_VERSION, *sizes.values(), num_frames, size_px, seed]
        parameters += [num_objects] if num_objects > 1 else ["sound"] if sound else []
        digest = hashlib.blake2b(json.dumps(parameters).encode(), digest_size=8).hexdigest()
        place = cache_folder() / "moving_shapes" if root is None else Path(root).expanduser()
        place = Path(os.path.abspath(place))  # noqa: PTH100
        if root is not None and (others := _files_of_others(place)):
            raise DatasetError(
                f"{place} holds other files ({first_few(others)}), and MovingShapes writes its synthetic videos into a "
                f"folder of its own: name an empty or new folder, or, for your own videos: --data video_folder "
                f"--data.dataset.root {root}"
            )
        folder = place / digest
        records = (
            records_of(folder, sizes)
            if num_objects > 1
            else [
                _record(folder, split, label, scene)
                for split in SPLITS
                for label in classes
                for scene in range(sizes[split] // len(classes))
            ]
        )
        super().__init__(folder, records, source=f"(built-in synthetic videos) {folder}")

    def prepare(self) -> None:
        """Write the files, unless all of them are there with their content.

        Raises:
            DatasetError: the folder cannot be written.
        """
        try:
            if write_once(self.root, self._write):
                _log.info("wrote %d clips to %s", len(self.records), self.root)
        except OSError as error:
            raise DatasetError(
                f"cannot write the clips to {self.root}: {error}; name another folder with root"
            ) from error

    def _write(self, folder: Path) -> None:
        import torch
        from tqdm import tqdm

        from vidcls.video.writer import write_video

        frames = self._frames()
        for record in tqdm(self.records, desc="writing moving shapes", unit="clip", disable=None):
            clip = frames(record)
            sound = tone_of(record, seconds=self._num_frames / FPS, seed=self._seed) if self._has_sound else None
            write_video(folder / record.name, torch.from_numpy(clip), fps=FPS, codec="h264", quality=0, sound=sound)
        with (folder / "clips.csv").open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(["path", "label", "split", "group"])
            table.writerows([record.name, record.label, record.split, record.group] for record in self.records)

    def _frames(self) -> Callable[[VideoRecord], NDArray[np.uint8]]:
        """What gives the frames ``(T, 3, H, W)`` of a video."""
        size_px, num_frames = self._size_px, self._num_frames
        seeds: dict[str, tuple[int, int]] = {split: (self._seed, number) for number, split in enumerate(SPLITS)}
        if self._num_objects > 1:
            num = {split: len(self.split(split)) // len(WAYS) for split in SPLITS}
            pairs = {split: make_pairs(num[split], size_px=size_px, seed=seeds[split]) for split in SPLITS}
            return lambda record: frames_of(
                pairs[record.split][int(record.path.parent.name)], way_of(record), num_frames
            )
        num = {split: len(self.split(split)) // len(self._classes) for split in SPLITS}
        scenes = {split: make_scenes(num[split], size_px=size_px, seed=seeds[split]) for split in SPLITS}
        return lambda record: scenes[record.split][int(record.path.stem)].frames(
            record.extra["appearance"], record.extra["motion"], num_frames
        )


def _files_of_others(place: Path) -> list[str]:
    """What lies in the folder and was not written by `MovingShapes`; hidden files do not count."""
    if not place.is_dir():
        return []
    names = [path.name for path in sorted(place.iterdir()) if not path.name.startswith(".")]
    return [
        name
        for name in names
        if not (_FLOW.fullmatch(name) or (_DIGEST.fullmatch(name) and may_be_replaced(place / name)))
    ]


def _record(folder: Path, split: str, label: str, scene: int) -> VideoRecord:
    appearance, motion, *_ = label.split("_")
    name = f"{split}/{label}/{scene:04d}.mp4"
    wanted = next(known for known in SPLITS if known == split)
    return VideoRecord(
        source=LocalFile(folder / name),
        label=label,
        split=wanted,
        name=name,
        group=f"{split}-{scene:04d}",
        extra={"appearance": appearance, "motion": motion},
    )

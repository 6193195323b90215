"""Folders of JPEGs as dense_flow and TSN wrote them -> flow fields, read-only.

::

    <root>/<video>/flow_x_00001.jpg  flow_y_00001.jpg  (img_00001.jpg)      numbered from 0 or from 1
    the tool writes    code = round((v + bound) / (2 bound) * 255), cut to 0..255
    and is read as     v    = code / 255 * 2 bound - bound

No code means exactly 0: no motion is written as 128 (127 by some builds), which that formula reads as +0.08 px for a
bound of 20. Here that one code is read as 0, so that a still clip is zero, and every other by the formula.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import islice
from os import PathLike
from pathlib import Path, PurePosixPath

import torch
from torch import Tensor

from vidcls.artifacts.places import path_inside
from vidcls.errors import FlowError, MissingFlowError, first_line
from vidcls.flow.settings import FlowSettings
from vidcls.types import VideoRecord

_X_PICTURE = re.compile(r"flow_x_(\d+)\.jpe?g")
_FOLDERS_LOOKED_AT = 200


class DenseFlowFolder:
    """Flow of another tool, by record: the folder is the record's name without its suffix, with it, or the bare stem.

    Such folders do not say what they were made from, so nothing checks that they belong to the video.

    Args:
        root: the folder that holds a folder per video.
        bound_px: the bound that the tool was given, in pixels per frame.
        zero_code: how the tool wrote no motion: 128, or 127.

    Raises:
        FlowError: there is no such folder.
    """

    def __init__(self, root: str | PathLike[str], *, bound_px: float = 20.0, zero_code: int = 128) -> None:
        self.root = Path(root)
        self.settings = FlowSettings(method="imported", bound_px=bound_px)
        self.zero_code = zero_code
        if not self.root.is_dir():
            raise FlowError(f"no folder of flow pictures at {self.root}: check the path")

    def num_fields(self, record: VideoRecord) -> int:
        """Number of pairs of pictures of this video. FlowError as in :meth:`fields`."""
        return len(self._pictures(record))

    def fields(self, record: VideoRecord, indices: Sequence[int]) -> Tensor:
        """The fields at ``indices`` in the order asked, ``(T, 2, h, w)`` float32 px at the pictures' size.

        Raises:
            FlowError: there is no folder of this video, a picture is missing or damaged, or numbers are left out.
            IndexError: there is no such field.
        """
        pictures = self._pictures(record)
        for index in indices:
            if not 0 <= index < len(pictures):
                raise IndexError(f"{record.video_name!r} has fields 0 to {len(pictures) - 1}, {index} was asked for")
        if not indices:
            height, width = _read_grey(pictures[0]).shape if pictures else (0, 0)
            return torch.empty(0, 2, height, width)
        fields: list[Tensor] = []
        for index in indices:
            x_path = pictures[index]
            x, y = _read_grey(x_path), _read_grey(x_path.with_name(x_path.name.replace("flow_x", "flow_y")))
            if x.shape != y.shape or (fields and x.shape != fields[0].shape[1:]):
                raise FlowError(f"the flow pictures in {x_path.parent} differ in size: make them again")
            fields.append(torch.stack([x, y]))
        codes = torch.stack(fields)  # (T, 2, h, w)
        flow = (codes.float() / 255 - 0.5) * (2 * self.settings.bound_px)
        return flow.masked_fill_(codes == self.zero_code, 0)

    def _pictures(self, record: VideoRecord) -> list[Path]:
        """The x pictures in order of time."""
        name = PurePosixPath(record.video_name)
        tried = [path_inside(self.root, str(n)) for n in (name.with_suffix(""), name, name.stem)]
        for folder in tried:
            if not folder.is_dir():
                continue
            numbered = sorted(
                (int(m[1]), folder / e.name) for e in os.scandir(folder) if (m := _X_PICTURE.fullmatch(e.name))
            )
            if numbered and numbered[-1][0] - numbered[0][0] != len(numbered) - 1:
                raise FlowError(f"the flow pictures in {folder} leave out numbers: make them again")
            return [path for _, path in numbered]
        raise MissingFlowError(
            f"{self.root} has no flow of {record.video_name!r}: looked for {', '.join(str(p) for p in tried)}"
        )


def holds_dense_flow(root: Path) -> bool:
    """Whether a folder holds pictures named as dense_flow names them, looking at no more than 200 of its folders."""
    walk = os.walk(root)
    return any(_X_PICTURE.fullmatch(name) for _, _, names in islice(walk, _FOLDERS_LOOKED_AT) for name in names)


def _read_grey(path: Path) -> Tensor:
    from torchvision.io import ImageReadMode, decode_jpeg

    try:
        content = bytearray(path.read_bytes())
        return decode_jpeg(torch.frombuffer(content, dtype=torch.uint8), ImageReadMode.GRAY)[0]  # (h, w)
    except (OSError, RuntimeError, ValueError) as error:
        reason = first_line(error)
        raise FlowError(f"the flow picture {path} cannot be read ({reason}): make it again") from error

"""Flow fields <-> ``.flo`` files: the Middlebury format, in which ground truth comes.

::

    4 bytes "PIEH" (the float 202021.25) | int32 width | int32 height | float32 (height, width, 2), all little-endian
"""

from __future__ import annotations

import struct
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vidcls.errors import FlowError

_MAGIC = b"PIEH"
_HEADER = struct.Struct("<4sii")


def read_flo(path: str | PathLike[str]) -> Tensor:
    """One field, ``(2, H, W)`` float32 px.

    Raises:
        FlowError: the file is missing, no ``.flo`` file, or shorter or longer than it says.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise FlowError(f"{path} cannot be read as a .flo file: {error.strerror}") from error
    if len(content) < _HEADER.size or content[:4] != _MAGIC:
        raise FlowError(f"{path} is no .flo file: it does not begin with PIEH")
    _, W, H = _HEADER.unpack_from(content)
    if W < 1 or H < 1 or len(content) != _HEADER.size + 8 * W * H:
        raise FlowError(f"{path} is damaged: it says {W}x{H} px and has {len(content)} bytes; copy it again")
    values = np.frombuffer(content, "<f4", offset=_HEADER.size).reshape(H, W, 2)
    return torch.from_numpy(values.astype(np.float32)).permute(2, 0, 1).contiguous()


def write_flo(path: str | PathLike[str], flow: Tensor) -> None:
    """Write one field ``(2, H, W)`` px."""
    if flow.ndim != 3 or flow.shape[0] != 2:
        raise ValueError(f"a .flo file holds one field (2, H, W), got {tuple(flow.shape)}")
    _, H, W = flow.shape
    values = flow.permute(1, 2, 0).contiguous().cpu().numpy().astype("<f4")
    Path(path).write_bytes(_HEADER.pack(_MAGIC, W, H) + values.tobytes())

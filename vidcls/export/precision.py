"""An ``.onnx`` file in float32 and clips that were not tested -> one whose products are of 8-bit integers."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from vidcls.errors import ExportError, first_line
from vidcls.runtime.session import errors_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

OPERATORS = ("Conv", "MatMul", "Gemm")
"""What is computed in integers: where the time goes. All else, such as the input stage and softmax, stays float32."""

COPIES = 4
"""Of the file in float32 that may lie in a folder on the way: prepared, with more outputs to calibrate, and written."""


def quantise(path: Path, target: Path, calibration: Iterable[Mapping[str, Tensor]]) -> None:
    """Write the file with 8-bit weights and activations, whose ranges are those of the calibration clips.

    Static quantisation of onnxruntime in the QDQ format: weights by channel, activations by tensor. Weights have 7
    bits, since processors without VNNI add products of 8-bit numbers in 16 bits, which then overflow: the file would
    answer otherwise there.

    Args:
        path: in float32.
        target: the file to write.
        calibration: streams ``(B, C, T, H, W)`` by name.

    Raises:
        ExportError: nothing of the network can be quantised, or there is no clip.
        OSError: there is no room for what is written on the way.
    """
    import onnxruntime
    from google.protobuf.message import DecodeError
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    _check_room(path, target.parent)
    _check_room(path, Path(tempfile.gettempdir()))
    reader = _Clips(calibration)
    level = logging.root.level
    logging.root.setLevel(logging.ERROR)  # it speaks through the root logger
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".int8-") as folder:
            prepared = Path(folder) / "prepared.onnx"
            quant_pre_process(path, prepared, skip_symbolic_shape=True)  # folds batch normalisation into convolutions
            quantize_static(
                prepared,
                target,
                reader,
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(OPERATORS),
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
    except (ValueError, TypeError, AssertionError, DecodeError, *errors_of(onnxruntime)) as error:
        raise ExportError(f"int8: the network cannot be quantised ({first_line(error)}): pass fp16 or fp32") from error
    finally:
        logging.root.setLevel(level)
    if reader.num == 0:
        raise ExportError("int8: no clip could be read to calibrate on: pass --calibrate VIDEO ...")


def _check_room(path: Path, folder: Path) -> None:
    """The libraries write half a file where the disk is full, and go on."""
    if shutil.disk_usage(folder).free < COPIES * path.stat().st_size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / path.name))


class _Clips:
    """The calibration clips as onnxruntime asks for them: one after the other, None at the end."""

    def __init__(self, clips: Iterable[Mapping[str, Tensor]]) -> None:
        self._clips: Iterator[Mapping[str, Tensor]] = iter(clips)
        self.num = 0

    def get_next(self) -> dict[str, NDArray[np.generic]] | None:
        clip = next(self._clips, None)
        if clip is None:
            return None
        self.num += 1
        return {name: stream.numpy() for name, stream in clip.items()}

    def __iter__(self) -> _Clips:
        return self

    def __next__(self) -> dict[str, NDArray[np.generic]]:
        found = self.get_next()
        if found is None:
            raise StopIteration
        return found

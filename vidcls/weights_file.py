"""A file that ``torch.save`` wrote -> its content, within limits and without running anything of it.

``torch.load(weights_only=True)`` runs no code, but a small file can still cost much: compressed or overlapping records,
pickles of millions of empty lists, one number expanded to a tensor of terabytes, lists that contain each other. So the
file's directory and its pickles are examined first, and what was loaded is examined before it is used.
"""

from __future__ import annotations

import math
import pickle
import pickletools
import struct
import zipfile
from collections.abc import Mapping
from io import BufferedReader, BytesIO, FileIO
from pathlib import Path
from typing import IO

import torch
from torch import Tensor

from vidcls.errors import CheckpointError
from vidcls.packed_file import why_packed

# A ResNet-50 with the moments of AdamW has 26,000 of them; a million is read in some ten seconds.
MAX_INSTRUCTIONS = 1_000_000
MAX_VALUES = 1_000_000
MAX_DEPTH = 100
MAX_DIRECTORY_BYTES = 2**23  # of a zip file; some 80,000 records
MAX_PICKLE_BYTES = 2**26
PIECE_BYTES = 2**12  # read at once of a pickle
# Tensors may share their memory, as tied weights do, but not all of them the same.
MAX_TENSOR_BYTES_PER_FILE_BYTE = 4
_SLACK_BYTES = 2**20
_NUM_LEGACY_PICKLES = 5  # magic number, protocol, system, content, keys of the storages
_GLOBALS = frozenset(
    {
        "_codecs encode",
        "builtins complex",
        "builtins set",
        "__builtin__ set",
        "collections Counter",
        "collections OrderedDict",
        "torch Size",
        "torch device",
        "torch.nn.parameter Parameter",
        *(f"torch._utils _rebuild_{kind}" for kind in ("parameter", "parameter_with_state")),
        *(f"torch._utils _rebuild_{kind}" for kind in ("tensor", "tensor_v2", "tensor_v3")),
    }
)
_OTHER_CALLS = frozenset({"STACK_GLOBAL", "INST", "OBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4"})  # not by torch.save
_UNREADABLE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
)


class _Refused(ValueError):
    """A limit was passed; the message says which."""


class _CodeError(ValueError):
    """A pickle names more than tensors need."""


def read_weights_file(
    path: str | Path,
    *,
    complaint: str = "is not a readable checkpoint",
    expected: str = "use a checkpoint that vidcls wrote",
) -> object:
    """The content of a file, on the CPU.

    Args:
        path: written by ``torch.save``, in its present format or in the one before torch 1.6.
        complaint: what the message says of the file where it cannot be read.
        expected: what the message asks for instead.

    Raises:
        CheckpointError: the file is missing, damaged, holds more than tensors and plain values, or passes a limit.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    if (packed := why_packed(path)) is not None:
        raise CheckpointError(f"{path}: {packed}")
    try:
        _check_file(path)
        content: object = torch.load(path, map_location="cpu", weights_only=True)
        _check_content(content, path.stat().st_size)
        return content
    except _Refused as error:
        message = f"{complaint}: {error}: {expected}"
    except (pickle.UnpicklingError, _CodeError):  # torch's own message tells how to load it all the same
        message = (
            "holds more than tensors and plain values, which could run code, and is refused (or it is damaged): "
            f"{expected}"
        )
    except _UNREADABLE as error:
        reason = error.strerror if isinstance(error, OSError) else None  # torch's own is about its records and code
        message = f"{complaint} ({reason or 'damaged, or a file of another kind'})"
    raise CheckpointError(f"{path}: {message}")  # here, so that no message of theirs is taken for the innermost


class _Frugal(BufferedReader):
    """A file of which nobody reads more than so many bytes at once, whatever lengths stand in it."""

    def __init__(self, path: Path, most_bytes: int, what: str) -> None:
        super().__init__(FileIO(path))
        self.most_bytes, self.what = most_bytes, what

    def read(self, size: int | None = -1, /) -> bytes:
        most = self.most_bytes + 1
        found = super().read(most if size is None or size < 0 else min(size, most))
        if len(found) == most:
            raise _Refused(f"{self.what} has more than {self.most_bytes:,} bytes")
        return found


def _check_file(path: Path) -> None:
    num_bytes = path.stat().st_size
    if not zipfile.is_zipfile(path):
        with _Frugal(path, MAX_PICKLE_BYTES, "a text in it") as file:
            _check_pickles(file, _NUM_LEGACY_PICKLES)
        return
    with _Frugal(path, MAX_DIRECTORY_BYTES, "its directory") as file, zipfile.ZipFile(file) as archive:
        records = archive.infolist()
        if any(record.compress_type != zipfile.ZIP_STORED for record in records):
            raise _Refused("its records are compressed, which torch.save never does")
        if sum(record.file_size for record in records) > num_bytes:
            raise _Refused(f"its records are said to have more bytes than the file, which has {num_bytes:,}")
        for record in records:
            if record.filename.endswith(".pkl"):
                if record.file_size > MAX_PICKLE_BYTES:
                    raise _Refused(f"what is not tensors in it has more than {MAX_PICKLE_BYTES:,} bytes")
                _check_pickles(BytesIO(_in_pieces(archive, record)), 1)


def _in_pieces(archive: zipfile.ZipFile, record: zipfile.ZipInfo) -> bytes:
    with archive.open(record) as file:
        return b"".join(iter(lambda: file.read(PIECE_BYTES), b""))


def _check_pickles(file: IO[bytes], num_pickles: int) -> None:
    """Count instructions, and look at the names of what they call."""
    num_left = MAX_INSTRUCTIONS
    for _ in range(num_pickles):
        for opcode, argument, _ in pickletools.genops(file):
            num_left -= 1
            if num_left < 0:
                raise _Refused(f"it holds more than {MAX_INSTRUCTIONS:,} values and parts of values")
            if opcode.name in _OTHER_CALLS or (opcode.name == "GLOBAL" and not _is_of_tensors(str(argument))):
                raise _CodeError(str(argument))


def _is_of_tensors(name: str) -> bool:
    module, _, attribute = name.partition(" ")
    return (
        name in _GLOBALS
        or (module in ("torch", "torch.cuda", "torch.storage") and attribute.endswith("Storage"))
        or (module == "torch" and isinstance(getattr(torch, attribute, None), torch.dtype))
    )


def _check_content(content: object, file_bytes: int) -> None:
    """Walk through everything, shared values each time that they are met; without recursion."""
    num_values, tensor_bytes = 0, 0
    level: list[object] = [content]
    for _ in range(MAX_DEPTH):
        below: list[object] = []
        for value in level:
            if isinstance(value, Tensor):
                tensor_bytes += _own_bytes(value)
                continue
            parts = _parts(value)
            num_values += 1 + len(parts)
            if num_values > MAX_VALUES:
                raise _Refused(f"it holds more than {MAX_VALUES:,} values")
            below.extend(parts)
        if not below:
            break
        level = below
    else:
        raise _Refused(f"its values are nested more than {MAX_DEPTH} deep")
    if tensor_bytes > MAX_TENSOR_BYTES_PER_FILE_BYTE * file_bytes + _SLACK_BYTES:
        raise _Refused(f"its tensors have {tensor_bytes:,} bytes, the file {file_bytes:,}")


def _parts(value: object) -> list[object]:
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    return []


def _own_bytes(tensor: Tensor) -> int:
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
        raise _Refused(f"it holds a tensor that is {tensor.layout} on {tensor.device}, expected dense ones")
    return math.prod(tensor.shape) * tensor.element_size()  # an expanded one counts as what it stands for

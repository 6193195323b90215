"""One video's flow in one file: fields by number, each checked, and what they were made from.

::

    "VIDFLOW1" | field 0 | field 1 | ... | index: end and CRC of each field | header (JSON) | footer

The footer comes last, so a file without it is not finished. It holds where the index begins, the number of fields,
the length of the header, a CRC of both, and "VIDFLOW1" again. All numbers are little-endian.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from vidcls.errors import FlowError
from vidcls.flow.codec import decode_field, encode_field
from vidcls.flow.saturation import Saturation, SaturationTally
from vidcls.flow.settings import Plain
from vidcls.remote.places import Place
from vidcls.remote.whole_files import open_binary
from vidcls.settings_file import parse_json
from vidcls.video.source_identity import SourceIdentity

_MAGIC = b"VIDFLOW1"
_FOOTER = struct.Struct("<QIII8s")
_INDEX_ENTRY = np.dtype([("end", "<u8"), ("crc", "<u4")])
_TAIL_BYTES = 16 * 1024  # holds index and header of some 1,300 fields, so that one read is enough


@dataclass(frozen=True, slots=True)
class FlowFileHeader:
    """What the fields of a file are and what they were made from.

    Args:
        settings: those of the flow, as plain types.
        parameters: the method's constants.
        weights_digest: what identifies a network's weights, where the method has any.
        height_px: height of the fields.
        width_px: width of the fields.
        source: the identity of the video.
        saturation: how many of the values the bound cut; None in files of version 0.1.
    """

    settings: dict[str, Plain]
    parameters: dict[str, Plain]
    weights_digest: str | None
    height_px: int
    width_px: int
    source: SourceIdentity
    saturation: Saturation | None = None

    @classmethod
    def from_json(cls, text: bytes) -> FlowFileHeader:
        """The inverse of ``json.dumps(asdict(header))``; KeyError, TypeError or ValueError where it is none."""
        plain = parse_json(text)
        saturation = Saturation.from_plain(plain.get("saturation"))
        return cls(**(plain | {"source": SourceIdentity(**plain["source"]), "saturation": saturation}))


class FlowFile:
    """One open flow file, to be used in a ``with`` block.

    Args:
        path: the file.
        local: a file of this machine with the same content, to read in its place.

    Raises:
        FlowError: the file is missing, of another kind or not complete.
    """

    def __init__(self, path: Place, *, local: Path | None = None) -> None:
        self.path = path
        try:
            self._file: BinaryIO = open_binary(local or path)
        except OSError as error:
            raise FlowError(f"the flow file {path} cannot be opened: {error.strerror or error}") from error
        try:
            self.header, self._ends, self._crcs = self._read_tail()
        except BaseException:
            self._file.close()
            raise

    @property
    def num_fields(self) -> int:
        """Number of fields: one less than the video has frames."""
        return len(self._crcs)

    def codes(self, indices: Sequence[int]) -> Tensor:
        """The 8-bit codes of these fields in the order asked, ``(T, 2, h, w)`` uint8.

        Raises:
            IndexError: there is no such field.
            FlowError: a field is damaged.
        """
        height_px, width_px = self.header.height_px, self.header.width_px
        codes = torch.empty(len(indices), 2, height_px, width_px, dtype=torch.uint8)
        for row, index in enumerate(indices):
            if not 0 <= index < self.num_fields:
                raise IndexError(f"{self.path} has fields 0 to {self.num_fields - 1}, {index} was asked for")
            begin = int(self._ends[index - 1]) if index else len(_MAGIC)
            self._file.seek(begin)
            blob = self._file.read(int(self._ends[index]) - begin)
            if zlib.crc32(blob) != self._crcs[index]:
                raise self._damaged(f"field {index} has another CRC than when it was written")
            try:
                codes[row] = decode_field(blob, height_px, width_px)
            except ValueError as error:
                raise self._damaged(f"field {index}: {error}") from error
        return codes

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def __enter__(self) -> FlowFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _read_tail(self) -> tuple[FlowFileHeader, np.ndarray, np.ndarray]:
        num_bytes = self._file.seek(0, os.SEEK_END)
        tail_bytes = min(num_bytes, _TAIL_BYTES)
        self._file.seek(num_bytes - tail_bytes)
        tail = self._file.read(tail_bytes)
        if len(tail) < len(_MAGIC) + _FOOTER.size:
            raise self._damaged(f"it has {num_bytes} bytes only")
        index_begin, num_fields, header_bytes, crc, magic = _FOOTER.unpack(tail[-_FOOTER.size :])
        body_bytes = num_fields * _INDEX_ENTRY.itemsize + header_bytes
        if magic != _MAGIC or index_begin + body_bytes + _FOOTER.size != num_bytes:
            raise self._damaged("its end is missing or is not that of a flow file")
        if body_bytes + _FOOTER.size > tail_bytes:
            self._file.seek(index_begin)
            tail = self._file.read(body_bytes + _FOOTER.size)
        body = tail[-_FOOTER.size - body_bytes : -_FOOTER.size]
        if zlib.crc32(body) != crc:
            raise self._damaged("its index has another CRC than when it was written")
        index = np.frombuffer(body, _INDEX_ENTRY, num_fields)
        try:
            header = FlowFileHeader.from_json(body[num_fields * _INDEX_ENTRY.itemsize :])
        except (KeyError, TypeError, ValueError) as error:
            raise self._damaged(f"its header is that of another version: {error}") from error
        return header, index["end"], index["crc"]

    def _damaged(self, reason: str) -> FlowError:
        return FlowError(
            f"the flow file {self.path} is damaged: {reason}; delete it and run scripts/precompute_flow.py again"
        )


def write_flow_file(
    file: BinaryIO, fields: Iterable[Tensor], header: FlowFileHeader, *, tally: SaturationTally | None = None
) -> int:
    """Write the codes ``(2, h, w)`` uint8 of all fields to an open empty file; returns how many there were.

    Args:
        file: open for writing.
        fields: the codes, one field at a time.
        header: what they are; comes last.
        tally: what the bound cut of them, known when the last field has come; None leaves the header as it is.
    """
    file.write(_MAGIC)
    position = len(_MAGIC)
    index: list[tuple[int, int]] = []
    for codes in fields:
        if codes.shape != (2, header.height_px, header.width_px) or codes.dtype != torch.uint8:
            raise ValueError(
                f"field {len(index)} is {tuple(codes.shape)} {codes.dtype}, expected (2, {header.height_px}, "
                f"{header.width_px}) uint8"
            )
        blob = encode_field(codes)
        file.write(blob)
        position += len(blob)
        index.append((position, zlib.crc32(blob)))
    if tally is not None:
        header = replace(header, saturation=tally.total())
    header_json = json.dumps(asdict(header)).encode()
    body = np.array(index, _INDEX_ENTRY).tobytes() + header_json
    file.write(body + _FOOTER.pack(position, len(index), len(header_json), zlib.crc32(body), _MAGIC))
    return len(index)

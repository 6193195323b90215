"""The features of one video <-> a file of tensors by level, with what tells whose they are in its header."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from vidcls.errors import FeatureError, first_line
from vidcls.remote import local_copy
from vidcls.remote.places import Place
from vidcls.remote.whole_files import open_binary
from vidcls.settings_file import parse_json
from vidcls.video.source_identity import SourceIdentity

SUFFIX = ".safetensors"
_FACTS = "vidcls"  # one entry: the order of several in the header is not defined, and equal features are equal files
MOST_HEADER_BYTES = 1 << 20
_TYPES = {"F16": "float16", "F32": "float32"}


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What the header of a file says.

    Args:
        key: digest of the key that the features were computed with.
        weights: sha256 of the network's weights.
        source: the video that they were computed from.
        content: digest of the values.
    """

    key: str
    weights: str
    source: SourceIdentity
    content: str


class FeatureFile:
    """An open file of features; see :func:`open_feature_file`."""

    def __init__(self, path: Place, file: Any, facts: FileFacts) -> None:
        self.path = path
        self.facts = facts
        self._file = file

    def shapes(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Type and shape by level, of the header alone."""
        slices = {level: self._file.get_slice(level) for level in self._file.keys()}  # noqa: SIM118 - no mapping
        return {
            level: (_TYPES.get(found.get_dtype(), found.get_dtype()), tuple(found.get_shape()))
            for level, found in slices.items()
        }

    def tensors(self) -> dict[str, Tensor]:
        """Features by level, mapped from the file: values are read when they are used."""
        return {level: self._file.get_tensor(level) for level in self._file.keys()}  # noqa: SIM118

    def check_content(self) -> None:
        """FeatureError where a value is not the one that was written; reads all of the file."""
        if content_digest(self.tensors()) != self.facts.content:
            raise FeatureError(f"{self.path} is damaged: its values are not those that were written: delete it")


@contextmanager
def open_feature_file(path: Place) -> Iterator[FeatureFile]:
    """The file at a path, open while the block runs; tensors of it stay valid.

    Raises:
        FeatureError: it is missing or damaged, or has no header of ours.
    """
    try:
        with local_copy(path) as local, safe_open(local, framework="pt") as file:
            facts = _facts((file.metadata() or {}).get(_FACTS, ""))
            if facts is None:
                raise FeatureError(f"{path} holds no features that vidcls wrote: delete it")
            yield FeatureFile(path, file, facts)
    except SafetensorError as error:
        raise FeatureError(f"{path} is damaged ({first_line(error)}): delete it") from error
    except OSError as error:
        raise FeatureError(f"{path} cannot be read ({error.strerror or first_line(error)})") from error


def read_facts(place: Place) -> FileFacts | None:
    """What the header of a file says, without the rest of it; None where it is no file of ours.

    A file of safetensors begins with the length of a header in JSON, in 8 bytes.

    Raises:
        OSError: it is not there, or cannot be read.
        RemoteError: it cannot be fetched.
    """
    with open_binary(place) as file:
        length = int.from_bytes(file.read(8), "little")
        header = file.read(min(length, MOST_HEADER_BYTES))
    try:
        return _facts(parse_json(header)["__metadata__"][_FACTS])
    except (ValueError, TypeError, LookupError):
        return None


def feature_bytes(tokens: Mapping[str, Tensor], key: str, weights: str, source: SourceIdentity) -> bytes:
    """The content of a file."""
    kept = {level: tensor.contiguous() for level, tensor in tokens.items()}
    facts = {
        "key": key,
        "weights": weights,
        "source": [source.num_bytes, source.digest],
        "content": content_digest(kept),
    }
    return save(kept, {_FACTS: json.dumps(facts)})


def content_digest(tensors: Mapping[str, Tensor]) -> str:
    """blake2b of 16 bytes over the values by level, in hexadecimal."""
    digest = hashlib.blake2b(digest_size=16)
    for level, tensor in sorted(tensors.items()):
        digest.update(level.encode())
        digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()


def _facts(text: str) -> FileFacts | None:
    try:
        plain = parse_json(text)
        num_bytes, digest = plain["source"]
        return FileFacts(plain["key"], plain["weights"], SourceIdentity(num_bytes, digest), plain["content"])
    except (ValueError, TypeError, LookupError):
        return None

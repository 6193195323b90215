"""A folder of features -> those of a video, refused where they do not belong to it or to the network.

::

    root/DIGEST/features.json                what the digest stands for: network, weights, levels, views, sizes
    root/DIGEST/walk/a.mp4.safetensors       by level (V, T, P, D) float16, one complete file for each video
    root/DIGEST/failures.csv                 which videos have none, and why
    root/OTHER/...                           the same videos with another network or other settings
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from vidcls.artifacts.partial_files import complete_file, remove_partial_files
from vidcls.artifacts.places import path_inside, place_inside
from vidcls.artifacts.remote_writers import writers_at
from vidcls.artifacts.writers import Writers
from vidcls.errors import FeatureError, MissingFeaturesError, SourceError
from vidcls.features.feature_file import (
    SUFFIX,
    FeatureFile,
    FileFacts,
    feature_bytes,
    open_feature_file,
    read_facts,
)
from vidcls.features.key import FeatureKey
from vidcls.features.key_file import KEY_FILE, read_key_file, write_key_file
from vidcls.files import cache_folder
from vidcls.remote.places import Place, is_remote, place_of
from vidcls.remote.whole_files import files_below, is_file, make_folder
from vidcls.shard import WHOLE, Shard
from vidcls.types import VideoRecord
from vidcls.video.source_identity import SourceIdentity

NUM_THREADS = 16  # a server answers each question after a while, but many at once
AGAIN = "run the same command again to compute it"
_DTYPES = {"float16": torch.float16, "float32": torch.float32}


class FeatureStore:
    """Features of videos by one key, below a root that other keys share; several processes may write at the same time.

    Every read checks that the file was computed with this key and from the video that lies at ``record.source`` now.
    No file stays open, so a store can be pickled and used after a fork.

    Args:
        root: the folder, made when something is written; or the folder of one key, which must then be this one.
        key: what the features depend on.

    Raises:
        FeatureError: the folder of the key, or root itself, says that its features have another key.
    """

    def __init__(self, root: str | os.PathLike[str] | Place, key: FeatureKey) -> None:
        self.root = place_of(root)
        self.key = key
        self.digest = key.digest
        self.folder = self.root if is_file(self.root / KEY_FILE) else self.root / self.digest
        self._known_sources: dict[str, tuple[int, int]] = {}
        if is_file(self.folder / KEY_FILE):
            self._check_folder()

    def __getstate__(self) -> dict[str, object]:
        """Without what it knows of sources: a job for each of many videos would carry that of all."""
        return {**self.__dict__, "_known_sources": {}}

    def path_of(self, record: VideoRecord) -> Place:
        """Where this video's features lie, or would lie. DatasetError where the name leads out of the folder."""
        return path_inside(self.folder, record.name, SUFFIX)

    def has_file(self, record: VideoRecord) -> bool:
        """Whether a file lies where this video's features would lie."""
        return is_file(self.path_of(record))

    def has(self, record: VideoRecord) -> bool:
        """Whether this video's features are there, complete, of this key and of the video as it is now."""
        try:
            if is_remote(self.folder):
                return self._has_header(record)
            with self.open_file(record):
                return True
        except FeatureError:
            return False

    def missing_of(self, records: Sequence[VideoRecord]) -> list[VideoRecord]:
        """Those of the videos whose features are not there, as :meth:`has` says; of an address by one listing first."""
        if not is_remote(self.folder):
            return [record for record in records if not self.has(record)]
        listed = files_below(self.folder, SUFFIX)
        there = [record for record in records if record.name + SUFFIX in listed]
        with ThreadPoolExecutor(NUM_THREADS) as pool:
            kept = {record.name for record, has in zip(there, pool.map(self.has, there), strict=True) if has}
        return [record for record in records if record.name not in kept]

    def _has_header(self, record: VideoRecord) -> bool:
        """As :meth:`has`, by the header alone."""
        path = self.path_of(record)
        try:
            facts = read_facts(path)
        except FileNotFoundError:
            return False
        if facts is None or facts.key != self.digest:
            return False
        self._check_source(record, path, facts)
        return True

    def read(self, record: VideoRecord, *, check_values: bool = False) -> dict[str, Tensor]:
        """Features ``(V, T, P, D)`` by level, mapped from the file and in the type in which they are kept.

        Args:
            record: the video.
            check_values: read all of the file, and refuse values that are not those that were written.

        Raises:
            MissingFeaturesError: there are none of this video.
            FeatureError: they are damaged, or were computed with another key or from another video.
        """
        with self.open_file(record) as file:
            if check_values:
                file.check_content()
            found = file.tensors()
        return {level: found[level] for level in self.key.levels}

    def write(self, record: VideoRecord, tokens: Mapping[str, Tensor]) -> int:
        """Keep features ``(V, T, P, D)`` by level, complete or not at all; returns the bytes of the file.

        Raises:
            FeatureError: a value is not finite, or not in the type in which values are kept.
            OSError: it cannot be written; where the disk is full, the error names the file.
        """
        expected = {level: (self.key.num_views, *shape) for level, shape in self.key.shapes.items()}
        got = {level: tuple(tensor.shape) for level, tensor in tokens.items()}
        if got != expected:
            raise ValueError(f"features of {record.name!r} have the shapes {got}, expected {expected}")
        kept = {level: self._kept(record, level, tensor) for level, tensor in tokens.items()}
        content = feature_bytes(kept, self.digest, self.key.weights, SourceIdentity.of(record.source))
        path = place_inside(self.folder, record.name, SUFFIX)
        with complete_file(self.folder, path) as temporary, temporary.open("xb") as file:
            file.write(content)
        return len(content)

    def prepare(self) -> None:
        """Make the folder, with its ``features.json``.

        Raises:
            FeatureError: it cannot be written.
        """
        if is_file(self.folder / KEY_FILE):
            return
        try:
            make_folder(self.folder)
            write_key_file(self.folder, self.key)
        except OSError as error:
            raise FeatureError(
                f"{self.folder} cannot be written ({error.strerror or error}): name another folder for features"
            ) from error

    @contextmanager
    def writing(self, shard: Shard = WHOLE) -> Iterator[Writers]:
        """While the block runs, this process or one of several shards may write; the folder is made, and tidied up.

        Raises:
            FolderInUseError: another command, or the same shard, is writing to it.
            FeatureError: it cannot be written.
        """
        with writers_at(self.folder, shard) as writers:
            with writers.merging():
                self.prepare()
                if not writers.others():
                    remove_partial_files(self.folder)
            yield writers

    @contextmanager
    def open_file(self, record: VideoRecord) -> Iterator[FeatureFile]:
        """The open file of a video, checked against key and video. FeatureError as in :meth:`read`."""
        if not self.has_file(record):
            others = self._others(record)
            raise MissingFeaturesError(f"{self.folder} has no features of {record.name!r}{others}: {AGAIN}")
        with open_feature_file(self.path_of(record)) as file:
            self._check_key(file)
            self._check_source(record, file.path, file.facts)
            yield file

    def _others(self, record: VideoRecord) -> str:
        """In which way features of this video that lie beside these differ, for a message."""
        if is_remote(self.root):
            return ""
        for place in sorted(self.root.glob(f"*/{KEY_FILE}"), key=str):
            if is_file(path_inside(place.parent, record.name, SUFFIX)):
                return f", but others of it ({self.key.difference(read_key_file(place.parent)[1])})"
        return ""

    def _check_folder(self) -> None:
        digest, facts = read_key_file(self.folder)
        if facts == self.key.to_dict():
            return
        raise FeatureError(
            f"{self.folder}: has features of key {digest}, expected {self.digest} ({self.key.difference(facts)}): name "
            "another folder for features, or remove this one"
        )

    def _check_key(self, file: FeatureFile) -> None:
        if file.facts.key != self.digest:
            raise FeatureError(
                f"{file.path} has features of key {file.facts.key} (weights {file.facts.weights[:16]}), expected "
                f"{self.digest} (weights {self.key.weights[:16]}): delete it"
            )
        expected = {level: (self.key.dtype, (self.key.num_views, *shape)) for level, shape in self.key.shapes.items()}
        if (found := file.shapes()) != expected:
            raise FeatureError(f"{file.path} is damaged: has {_described(found)}, expected {_described(expected)}")

    def _check_source(self, record: VideoRecord, path: Place, facts: FileFacts) -> None:
        stamp = record.source.stamp()  # spares the digest where nothing changed since the last read
        if stamp is not None and self._known_sources.get(record.name) == stamp:
            return
        try:
            found = SourceIdentity.of(record.source)
        except SourceError as error:
            raise FeatureError(f"{path} cannot be checked: {error}") from error
        expected = facts.source
        if found != expected:
            raise FeatureError(
                f"{path} was computed from another video ({expected.num_bytes} bytes, digest "
                f"{expected.digest[:8]}) than {record.source} ({found.num_bytes} bytes, digest {found.digest[:8]}): "
                f"{AGAIN}"
            )
        if stamp is not None:
            self._known_sources[record.name] = stamp

    def _kept(self, record: VideoRecord, level: str, tensor: Tensor) -> Tensor:
        """The values in the type in which they are kept."""
        kept = tensor.detach().to("cpu", _DTYPES[self.key.dtype])
        if num_lost := int((~torch.isfinite(kept)).sum()):
            largest = float(tensor.detach().abs().max())
            raise FeatureError(
                f"{record.source}: {num_lost} of {kept.numel()} values of level {level} are beyond the range of "
                f"{self.key.dtype} (largest {largest:.4g}): choose another level"
            )
        return kept


def default_root(dataset_root: Place) -> Path:
    """Where features of a data set lie unless a folder is named: below the cache folder, by the data set's folder."""
    place = dataset_root if is_remote(dataset_root) else dataset_root.resolve()
    name = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in place.name) or "videos"
    digest = hashlib.blake2b(os.fsencode(str(place)), digest_size=4).hexdigest()
    return cache_folder() / "features" / f"{name[:40]}-{digest}"


def _described(shapes: Mapping[str, tuple[str, tuple[int, ...]]]) -> str:
    return ", ".join(f"{level} {'x'.join(map(str, shape))} {dtype}" for level, (dtype, shape) in sorted(shapes.items()))

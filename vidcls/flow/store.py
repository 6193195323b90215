"""A folder of flow files -> the fields of a video, refused where they do not belong to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from os import PathLike
from pathlib import Path

from torch import Tensor

from vidcls.artifacts.places import path_inside
from vidcls.errors import FlowError, MissingFlowError, SourceError
from vidcls.flow.codec import dequantize
from vidcls.flow.dense_flow_folder import DenseFlowFolder, holds_dense_flow
from vidcls.flow.flow_file import FlowFile, FlowFileHeader
from vidcls.flow.manifest import MANIFEST_NAME, Manifest
from vidcls.flow.settings import FlowSettings
from vidcls.flow.source import FlowSource
from vidcls.remote import is_remote, local_copy, place_of
from vidcls.remote.places import Place
from vidcls.remote.whole_files import files_below, holds_files, is_file
from vidcls.types import VideoRecord
from vidcls.video.source_identity import SourceIdentity

FLOW_SUFFIX = ".flow"
RERUN = "run scripts/precompute_flow.py"


class FlowStore:
    """Flow as ``scripts/precompute_flow.py`` wrote it, read-only: ``<root>/<video_name>.flow`` beside a manifest.

    Every read checks that the file was made with the store's settings and from the video that lies at ``record.source``
    now. No file stays open, so a store can be pickled and used after a fork.

    Args:
        root: the folder.

    Raises:
        FlowError: it is not a flow store, or its method had other constants than it has now.
    """

    def __init__(self, root: str | PathLike[str] | Place) -> None:
        self.root = place_of(root)
        self.manifest = Manifest.read(self.root)
        self.settings = self.manifest.settings
        if self.manifest.parameters != self.settings.parameters():
            raise FlowError(
                f"the flow in {self.root} was made with {self.settings.method} {self.manifest.parameters}, this "
                f"version computes with {self.settings.parameters()}: {RERUN} with a new --output"
            )
        self._known_sources: dict[str, tuple[int, int]] = {}

    def path_of(self, record: VideoRecord) -> Place:
        """Where this video's flow lies, or would lie. FlowError where the name leads out of the folder."""
        return path_inside(self.root, record.video_name, FLOW_SUFFIX)

    def has_file(self, record: VideoRecord) -> bool:
        """Whether a file lies where this video's flow would lie. FlowError where the name leads out of the folder."""
        return is_file(self.path_of(record))

    def without_file(self, records: Sequence[VideoRecord]) -> list[VideoRecord]:
        """Those of the videos of whose flow no file is there. FlowError where a name leads out of the folder."""
        if not is_remote(self.root):
            return [record for record in records if not self.has_file(record)]
        found = files_below(self.root, FLOW_SUFFIX).keys()
        paths = ((record, self.path_of(record)) for record in records)  # which refuses names that lead out
        return [record for record, _ in paths if record.video_name + FLOW_SUFFIX not in found]

    def num_fields(self, record: VideoRecord) -> int:
        """Number of fields of this video: one less than it has frames. FlowError as in :meth:`fields`."""
        with self.open_file(record) as file:
            return file.num_fields

    def fields(self, record: VideoRecord, indices: Sequence[int]) -> Tensor:
        """The fields at ``indices`` in the order asked, ``(T, 2, h, w)`` float32 px at the stored size.

        Raises:
            FlowError: there is no flow of this video, or it is damaged, or was made with other settings or from
                another video.
            IndexError: there is no such field.
        """
        with self.open_file(record, whole=True) as file:
            return dequantize(file.codes(indices), self.settings.bound_px)  # (T, 2, h, w)

    def require(self, settings: FlowSettings) -> None:
        """Nothing where the store was made with these settings; else FlowError that names both."""
        if self.settings != settings:
            raise FlowError(
                f"the flow in {self.root} was made with {self.settings.describe()}, but {settings.describe()} is "
                f"needed: {RERUN} with these settings and a new --output"
            )

    @contextmanager
    def open_file(self, record: VideoRecord, *, whole: bool = False) -> Iterator[FlowFile]:
        """The open flow file of a video, checked against settings and video. FlowError as in :meth:`fields`.

        Args:
            record: the video.
            whole: bring all of it to this machine, through the cache, where it lies at an address; else what is read.
        """
        path = self.path_of(record)
        if not self.has_file(record):
            raise MissingFlowError(
                f"the flow store {self.root} has no flow of {record.video_name!r}: {RERUN} with --output {self.root} "
                "again"
            )
        local = local_copy(path) if whole and is_remote(path) else nullcontext()
        with local as local_file, FlowFile(path, local=local_file) as file:
            self._check_settings(record, file.header)
            self._check_source(record, file.header)
            yield file

    def _check_settings(self, record: VideoRecord, header: FlowFileHeader) -> None:
        expected = (self.manifest.parameters, self.manifest.weights_digest)
        if not self.settings.matches(header.settings) or (header.parameters, header.weights_digest) != expected:
            raise FlowError(
                f"the flow of {record.video_name!r} in {self.root} was made with {_described(header.settings)}, "
                f"expected {self.settings.describe()}: {RERUN} with --output {self.root} again"
            )

    def _check_source(self, record: VideoRecord, header: FlowFileHeader) -> None:
        stamp = record.source.stamp()  # spares the digest where nothing changed since the last read
        if stamp is not None and self._known_sources.get(record.video_name) == stamp:
            return
        try:
            found = SourceIdentity.of(record.source)
        except SourceError as error:
            raise FlowError(f"the flow of {record.video_name!r} in {self.root} cannot be checked: {error}") from error
        if found != header.source:
            raise FlowError(
                f"the flow of {record.video_name!r} in {self.root} was made from another video "
                f"({header.source.num_bytes} bytes, digest {header.source.digest[:8]}) than {record.source} "
                f"({found.num_bytes} bytes, digest {found.digest[:8]}): {RERUN} with --output {self.root} again"
            )
        if stamp is not None:
            self._known_sources[record.video_name] = stamp


def open_flow_store(path: str | PathLike[str], *, imported: FlowSettings | None = None) -> FlowSource:
    """The flow at a path: a store of this program, or folders that dense_flow wrote.

    Args:
        path: the folder.
        imported: where their method is ``imported``, the bound of dense_flow's pictures, which do not tell it; else 20.

    Raises:
        FlowError: neither lies there.
    """
    root = place_of(path)
    if is_file(root / MANIFEST_NAME):
        return FlowStore(root)
    if not is_remote(root) and holds_dense_flow(root):
        if imported is not None and imported.method == "imported":
            return DenseFlowFolder(root, bound_px=imported.bound_px)
        return DenseFlowFolder(root)
    is_there = root.is_dir() if isinstance(root, Path) else holds_files(root)
    found = "lies there, but has neither" if is_there else "is not there; expected"
    raise FlowError(
        f"no flow at {root}: the folder {found} a {MANIFEST_NAME} nor folders with flow_x_00001.jpg; "
        f"{RERUN} with --output {root}, or check the path"
    )


def _described(settings: dict[str, str | int | float | bool | None]) -> str:
    try:
        return FlowSettings.from_dict(settings).describe()
    except ValueError:
        return str(settings)

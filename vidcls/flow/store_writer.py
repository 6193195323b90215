"""Fields of videos -> a flow store, each video complete or not there at all."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from torch import Tensor

from vidcls.artifacts.partial_files import complete_file, remove_partial_files
from vidcls.artifacts.places import place_inside
from vidcls.errors import FlowError
from vidcls.flow.flow_file import FlowFile, FlowFileHeader, write_flow_file
from vidcls.flow.manifest import MANIFEST_NAME, Manifest, installed_versions
from vidcls.flow.raft_estimator import weights_digest
from vidcls.flow.saturation import Saturation, SaturationTally
from vidcls.flow.settings import FlowSettings
from vidcls.flow.store import FLOW_SUFFIX, FlowStore
from vidcls.remote.places import Place, is_remote
from vidcls.remote.whole_files import files_below, holds_files, is_file, make_folder
from vidcls.types import VideoRecord
from vidcls.video.source_identity import SourceIdentity

NUM_THREADS = 16


@dataclass(frozen=True, slots=True)
class FlowStoreWriter:
    """Adds videos to a store; several processes may write to one store at the same time.

    A video is written under ``.partial`` and renamed when it is complete and on the disk, so a kill at any moment
    leaves complete files only; what a dead process left under ``.partial`` is removed by the next :meth:`open` on
    that machine while no other one writes.

    Args:
        store: the store to write to.
    """

    store: FlowStore

    @classmethod
    def open(cls, root: Place, settings: FlowSettings, *, is_alone: bool = True) -> FlowStoreWriter:
        """A writer to the store at root, which is made where it does not exist.

        Args:
            root: the folder.
            settings: method, bound and size.
            is_alone: no other process is writing to it, so that what dead ones left can be removed.

        Raises:
            FlowError: the store was made with other settings, constants or weights, or the folder holds other files.
        """
        digest = weights_digest(settings)
        if is_file(root / MANIFEST_NAME):
            store = FlowStore(root)
            store.require(settings)
            if store.manifest.weights_digest != digest:
                raise FlowError(
                    f"the flow in {root} was made with other weights than {settings.weights} holds now: choose a new "
                    "output folder"
                )
        else:
            if holds_files(root):
                raise FlowError(f"{root} is not empty and no flow store: choose a new output folder")
            try:
                make_folder(root)
                Manifest(settings, settings.parameters(), digest, installed_versions()).write(root)
            except OSError as error:
                raise FlowError(
                    f"{root} cannot be written ({error.strerror or error}): choose another output folder"
                ) from error
            store = FlowStore(root)
        if is_alone:  # elsewhere a process of the same name and number may be writing
            remove_partial_files(root)
        return cls(store)

    def is_current(self, record: VideoRecord) -> bool:
        """Whether this video's flow is there, complete, of these settings and of the video as it is now."""
        try:
            with self.store.open_file(record):
                return True
        except FlowError:
            return False

    def saturation_of(self, record: VideoRecord) -> Saturation | None:
        """How many values of this video's flow the bound cut, where there is a file that says so."""
        try:
            with self.store.open_file(record) as file:
                return file.header.saturation
        except FlowError:
            return None

    def write(
        self,
        record: VideoRecord,
        fields: Iterable[Tensor],
        *,
        height_px: int,
        width_px: int,
        tally: SaturationTally | None = None,
    ) -> tuple[int, int]:
        """Store the codes ``(2, height_px, width_px)`` uint8 of all fields; returns how many and the file's bytes.

        Args:
            record: the video.
            fields: the codes, one field at a time.
            height_px: height of the fields.
            width_px: width of the fields.
            tally: what the bound cut of them, known when the last field has come.
        """
        manifest = self.store.manifest
        header = FlowFileHeader(
            settings=manifest.settings.to_dict(),
            parameters=manifest.parameters,
            weights_digest=manifest.weights_digest,
            height_px=height_px,
            width_px=width_px,
            source=SourceIdentity.of(record.source),
        )
        path = place_inside(self.store.root, record.video_name, FLOW_SUFFIX)
        with complete_file(self.store.root, path) as temporary:
            with temporary.open("xb") as file:
                num_fields = write_flow_file(file, fields, header, tally=tally)
            num_bytes = temporary.stat().st_size
        return num_fields, num_bytes

    def finish(self, *, is_changed: bool = True) -> Manifest:
        """Count what is there into the manifest.

        Args:
            is_changed: whether anything was written; else what the manifest says of as many files holds.
        """
        sizes = files_below(self.store.root, FLOW_SUFFIX)
        if not is_changed and self.store.manifest.num_videos == len(sizes):
            return self.store.manifest
        num_videos = num_fields = num_bytes = 0
        counted: list[Saturation] = []
        # A server answers after a while, but many questions at once.
        with ThreadPoolExecutor(NUM_THREADS if is_remote(self.store.root) else 1) as pool:
            for size, found in zip(sizes.values(), pool.map(self._counted, sizes), strict=True):
                if found is None:
                    continue
                num_videos += 1
                num_fields += found[0]
                num_bytes += size
                if found[1] is not None:
                    counted.append(found[1])
        manifest = replace(
            self.store.manifest,
            versions=installed_versions(),
            num_videos=num_videos,
            num_fields=num_fields,
            num_bytes=num_bytes,
            saturation=sum(counted, Saturation()) if counted else None,
        )
        manifest.write(self.store.root)
        return manifest

    def _counted(self, name: str) -> tuple[int, Saturation | None] | None:
        try:
            with FlowFile(self.store.root / name) as file:
                return file.num_fields, file.header.saturation
        except FlowError:
            return None  # of no video of this run; its reader will say so

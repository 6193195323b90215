"""Videos and what a clip of them is -> the smallest copy that a training can use in their place, made or found.

::

    ~/.cache/vidcls/prepared/0f3c.../    a prepared copy, see PreparedFolder; videos keep their names
    ~/.cache/vidcls/prepared/0f3c.../flow/    a flow store of the copies, where the training sees flow
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from vidcls.artifacts.failures import read_failures
from vidcls.clips.settings import InputSettings
from vidcls.copies.parts_in_frames import with_known_frames
from vidcls.copies.preparation import prepare
from vidcls.copies.prepared_folder import PreparedFolder, PrepareSettings
from vidcls.datasets.record_facts import whole_videos
from vidcls.errors import FlowError, VidclsError
from vidcls.files import cache_folder, printable
from vidcls.flow import FlowSettings, FlowStore
from vidcls.flow.precompute import precompute
from vidcls.jobs import InThisProcess, Pool
from vidcls.types import VideoRecord
from vidcls.video.source import source_at
from vidcls.video.total_bytes import total_bytes_of

OWN_SIZE = 2**16  # no video is larger, so that each keeps its size
NUM_TRIED = 3  # videos from which the cost of a copy is estimated
FLOW = "flow"


@dataclass(frozen=True, slots=True)
class CopyEstimate:
    """What a copy will cost, from a few videos.

    Args:
        seconds: to make it, in so many processes.
        num_bytes: of it.
    """

    seconds: float
    num_bytes: float


@dataclass(frozen=True, slots=True)
class TrainingCopy:
    """A prepared copy whose frames are just as large as the clips need.

    Args:
        root: its folder.
        settings: of its frames.
        flow_settings: of its flow; None where it has none.
    """

    root: Path
    settings: PrepareSettings
    flow_settings: FlowSettings | None

    @classmethod
    def of(cls, records: Sequence[VideoRecord], settings: InputSettings, root: Path | None = None) -> TrainingCopy:
        """The copy of these videos for clips of these settings.

        Flow is computed from the frames of the copy, as ``vidcls data prepare --with_flow`` does, at the size that the
        settings ask for, else at that of the copy.

        Args:
            records: the videos.
            settings: what a clip is.
            root: the folder; None for one in the cache whose name tells videos and settings.
        """
        flow = settings.flow_settings if "flow" in settings.loaded_kinds.values() else None
        resize_px = settings.transform.short_side_px
        short_side_px = OWN_SIZE if resize_px is None else max(resize_px, (flow and flow.short_side_px) or 0)
        frames = PrepareSettings(short_side_px)
        if flow is not None and flow.short_side_px is None and resize_px is not None:
            flow = replace(flow, short_side_px=short_side_px)
        if root is None:
            names = sorted({(record.video_name, record.source.name) for record in records})
            key = repr((names, asdict(frames), flow and flow.to_dict()))
            digest = hashlib.blake2b(key.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
            root = cache_folder() / "prepared" / digest
        return cls(root, frames, flow)

    def make(self, records: Sequence[VideoRecord], *, pool: Pool) -> list[tuple[str, str]]:
        """Make it, or what it lacks; what was done stays where this is interrupted.

        Returns:
            name and reason of the videos that cannot be copied.

        Raises:
            FolderInUseError: another process is making it.
            DatasetError, FlowError: the folder holds something else, or the disk is full.
        """
        done = prepare(records, self.root, self.settings, pool=pool)
        failures = done.failures
        if self.flow_settings is not None:
            pairs = zip(records, self.used(records) or records, strict=True)
            copied = [new for old, new in pairs if new is not old]
            report = precompute(copied, self.root / FLOW, self.flow_settings, pool=pool, tell=lambda _: None)
            failures = [*failures, *report.failures]
        return failures

    def used(self, records: Sequence[VideoRecord]) -> list[VideoRecord] | None:
        """The records with the copies for their sources, by the same names; None where nothing is copied.

        A video that is not in the copy, or has changed since, keeps its own source.
        """
        folder = PreparedFolder.existing(self.root, self.settings)
        if folder is None:
            return None
        is_current = {r.video_name: folder.current(r) is not None for r in whole_videos(records)}
        swapped = [
            replace(known, source=source_at(str(folder.copy_of(record.video_name)), asks=False))
            if is_current[record.video_name]
            else record
            for record, known in zip(records, with_known_frames(records), strict=True)
        ]
        return None if all(one is other for one, other in zip(swapped, records, strict=True)) else swapped

    def is_whole(self, records: Sequence[VideoRecord]) -> bool:
        """Whether all of the videos are there as they are now, with their flow, but for those that cannot be copied."""
        swapped = self.used(records)
        if swapped is None:
            return False
        failed = {name for root in (self.root, self.root / FLOW) for name, _ in read_failures(root)}
        waited_for = [
            (record, copied)
            for record, copied in zip(records, swapped, strict=True)
            if printable(record.video_name) not in failed
        ]
        if any(copied is record for record, copied in waited_for):
            return False
        try:
            store = self.flow_store()
            if store is None:
                return True
            for _, copied in waited_for:
                store.num_fields(copied)
        except FlowError:
            return False
        return store.settings == self.flow_settings

    def num_missing(self, records: Sequence[VideoRecord]) -> int:
        """How many of the videos are not in it as they are now."""
        records = whole_videos(records)
        swapped = self.used(records) or records
        return sum(copied is record for record, copied in zip(records, swapped, strict=True))

    def flow_store(self) -> FlowStore | None:
        """Its flow; None where it has none."""
        return None if self.flow_settings is None else FlowStore(self.root / FLOW)

    def num_bytes(self) -> int:
        """The room that it takes on the disk."""
        return sum(file.stat().st_size for file in self.root.rglob("*") if file.is_file())

    def to_dict(self) -> dict[str, object]:
        """For files."""
        flow = None if self.flow_settings is None else self.flow_settings.to_dict()
        return {"folder": str(self.root), "settings": asdict(self.settings), "flow_settings": flow}

    @property
    def size_text(self) -> str:
        """How large its frames are."""
        side = self.settings.short_side_px
        return "own size" if side == OWN_SIZE else f"short side {side} px"


def estimated(
    records: Sequence[VideoRecord],
    settings: InputSettings,
    *,
    num_workers: int,
    try_out: Callable[[TrainingCopy, list[VideoRecord]], None],
) -> CopyEstimate | None:
    """What a copy of these videos will cost, from a copy of a few of them; None where none of these can be copied.

    Args:
        records: the videos.
        settings: what a clip is.
        num_workers: processes that will make it.
        try_out: is called with the copy of the few videos while it is there.
    """
    chosen = [records[k * len(records) // NUM_TRIED] for k in range(min(NUM_TRIED, len(records)))]
    with tempfile.TemporaryDirectory(prefix="vidcls-copy-") as folder:
        copy = TrainingCopy.of(chosen, settings, Path(folder) / "copy")
        started = time.perf_counter()
        try:
            copy.make(chosen, pool=InThisProcess())
        except VidclsError:
            return None
        seconds = time.perf_counter() - started
        swapped = [new for new, old in zip(copy.used(chosen) or chosen, chosen, strict=True) if new is not old]
        if not swapped:
            return None
        share = total_bytes_of([r.source for r in records]) / max(1, total_bytes_of([r.source for r in chosen]))
        num_bytes = copy.num_bytes()
        try_out(copy, swapped)
    return CopyEstimate(seconds * share / num_workers, num_bytes * share)

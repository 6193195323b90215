"""The journal of a prepared copy: which videos of it are done, of which source, noted at once and read after a kill."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from vidcls.artifacts.writers import Writers
from vidcls.errors import DatasetError
from vidcls.files import printable, write_csv, write_text

JOURNAL = "prepared.csv"


@dataclass(frozen=True, slots=True)
class PreparedVideo:
    """One video of the copy, as the journal has it.

    Args:
        name: of the source in its data set.
        source_bytes: size of the source.
        source_digest: what tells the source from other files.
        num_frames: of both.
        num_bytes: size of the copy.
        psnr_db: peak signal-to-noise ratio of the copy against the source at the same size, over some frames.
    """

    name: str
    source_bytes: int
    source_digest: str
    num_frames: int
    num_bytes: int
    psnr_db: float


HEADER = [field.name for field in fields(PreparedVideo)]


def journals_merged(root: Path, writers: Writers) -> dict[str, PreparedVideo]:
    """What was done before, with what shards have noted since, which becomes part of the journal of all."""
    done = read_journal(root / JOURNAL)
    noted = writers.unmerged_files(JOURNAL)
    if noted:
        for path in noted:
            done |= read_journal(path)
        write_csv(root / JOURNAL, [HEADER, *(row_of(video) for video in done.values())])
        for path in noted:
            path.unlink()
    return done


def row_of(video: PreparedVideo) -> list[object]:
    """A video as a row of the journal."""
    return list({**asdict(video), "name": printable(video.name)}.values())


def read_journal(path: Path) -> dict[str, PreparedVideo]:
    """What was done before; a last line that was cut off counts for nothing."""
    if not path.is_file():
        write_csv(path, [HEADER])
        return {}
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: is damaged: delete it, and the copy is made again") from error
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        write_text(path, whole)
    rows: dict[str, PreparedVideo] = {}
    try:
        for row in csv.DictReader(io.StringIO(whole)):
            rows[row["name"]] = PreparedVideo(
                row["name"],
                int(row["source_bytes"]),
                row["source_digest"],
                int(row["num_frames"]),
                int(row["num_bytes"]),
                float(row["psnr_db"]),
            )
    except (csv.Error, KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{path}: is damaged: delete it, and the copy is made again") from error
    return rows

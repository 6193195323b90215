"""A data set before training -> one HTML file that shows what is in it and what a network would see of it."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

from vidcls.checks.cache import CheckCache, CheckedVideo
from vidcls.checks.files import check_files
from vidcls.checks.finding import Finding
from vidcls.checks.findings import CheckedData, findings
from vidcls.clips.planning import ClipPlanner
from vidcls.datasets.group_pattern import takes_group_pattern
from vidcls.datasets.groups import KnownGroups
from vidcls.errors import DatasetError, DecodeError
from vidcls.files import printable, write_arrays, write_csv, write_text
from vidcls.jobs import InThisProcess
from vidcls.loading import VideoDataModule
from vidcls.outputs import named_output
from vidcls.report.choice import evenly
from vidcls.report.clip_samples import clip_samples, sample_arrays
from vidcls.report.data_charts import counts_chart, lengths_chart
from vidcls.report.html import rendered
from vidcls.report.input_words import input_words
from vidcls.report.links import link_to
from vidcls.report.thumbnails import NUM_FRAMES, small, webp
from vidcls.report.video_facts import VideoFacts, fact_rows
from vidcls.types import SPLITS, VideoRecord
from vidcls.video import open_video
from vidcls.video.source import VideoSource

TEMPLATE = "data.html"
MOST_READ = 5000
MOST_THUMBNAILS = 240
MOST_BY_CLASS = 4
NUM_SAMPLES = 4
NUM_LISTED = 12

Item = TypeVar("Item")


class Progress(Protocol):
    """Wraps what takes long in a bar."""

    def __call__(self, items: Iterable[Item], what: str, total: int) -> Iterable[Item]:
        """The items, counted as they come."""


def no_progress(items: Iterable[Item], what: str, total: int) -> Iterable[Item]:  # noqa: ARG001
    """The items without a bar."""
    return items


@dataclass(frozen=True)
class Thumbnail:
    """One video in miniature: data addresses of a frame and of some in motion, or why there are none; and its link."""

    path: str
    still: str | None = None
    film: str | None = None
    reason: str | None = None
    link: str | None = None


def write_data_page(
    data: VideoDataModule,
    output: Path,
    *,
    title: str,
    seen_by: str = "",
    known: Mapping[VideoSource, CheckedVideo] | None = None,
    progress: Progress = no_progress,
    most_read: int = MOST_READ,
    num_samples: int = NUM_SAMPLES,
) -> list[Path]:
    """Write the page of a data set, a csv file with a line for each video that was opened, and the clips as npz.

    These are called like the page, with ``_videos.csv`` and ``_samples.npz`` behind.

    Args:
        data: with its videos in place.
        output: the ``.html`` file.
        title: what the data set is called.
        seen_by: whose clips are shown, such as ``the configuration two_stream``.
        known: what a check found out about the files of :func:`opened_records`; None checks them now, in this process.
        progress: wraps the clips and the thumbnails in a bar each.
        most_read: of a larger data set so many videos are opened, spread evenly; the page says so.
        num_samples: training videos whose clips are shown.

    Returns:
        the files that were written.

    Raises:
        VidclsError: no training split, or a file cannot be written; nothing half-written is left.
    """
    opened = opened_records(data, most_read)
    if known is None:
        cache = CheckCache(None, decoder=data.input_settings.decoder)
        known = check_files(opened, cache, pool=InThisProcess(), most_seconds=math.inf).by_source
    facts = [VideoFacts.of(record, known[record.source].health) for record in opened]
    readable = [found for found in facts if found.info is not None]
    chosen = evenly(len(data.split("train")), num_samples)
    samples = [clip_samples(data, index) for index in progress(chosen, "clips", len(chosen))]
    counts: dict[str, dict[str, int]] = {name: dict.fromkeys(SPLITS, 0) for name in data.class_names}
    for record in data.records:
        for name in record.classes:
            counts[name][record.split] += 1
    paths = {record.name: record.source for record in data.records}
    span = span_frames(data, readable)
    lengths = [found.seconds for found in readable if found.seconds is not None]
    content = {
        "title": title,
        "data": data,
        "settings": data.describe_input(),
        "num_videos": len(data.records),
        "num_opened": len(opened),
        "parts": {split: sum(row[split] for row in counts.values()) for split in SPLITS},
        "groups": group_rows(data.records),
        "known_groups": KnownGroups.of(record.group for record in data.records).text,
        "counts": counts,
        "counts_chart": counts_chart(counts),
        "hours": sum(lengths) / 3600 if len(opened) == len(data.records) else None,
        "seconds_chart": lengths_chart(lengths, unit="seconds") if lengths else None,
        "frames_chart": lengths_chart(
            [found.info.num_frames for found in readable if found.info is not None],
            unit="frames",
            marked=span,
            mark=f"a clip: {span}",
        )
        if readable
        else None,
        "has_span": span is not None,
        "sizes": _most_common(readable, lambda info: f"{info.width_px} x {info.height_px}"),
        "rates": _most_common(readable, lambda info: f"{info.fps:.4g}"),
        "codecs": _most_common(readable, lambda info: info.codec),
        "findings": findings_shown(data, known),
        "thumbnails": {
            name: [replace(one, link=link_to(paths.get(one.path), output)) for one in found]
            for name, found in thumbnails(data, progress).items()
        },
        "seen_by": input_words(data, seen_by),
        "samples": samples,
    }
    table, arrays = numbers_beside(output)
    with named_output(output):
        write_csv(table, fact_rows(facts))
        write_arrays(arrays, sample_arrays(samples))
        write_text(output, printable(rendered(TEMPLATE, content)))
    return [output, table, arrays]


def numbers_beside(output: Path) -> tuple[Path, Path]:
    """The csv and the npz file that lie beside a page."""
    return output.with_name(f"{output.stem}_videos.csv"), output.with_name(f"{output.stem}_samples.npz")


def opened_records(data: VideoDataModule, most_read: int = MOST_READ) -> list[VideoRecord]:
    """The videos that are opened: all, or of a larger data set so many, spread evenly."""
    return [data.records[k] for k in evenly(len(data.records), most_read)]


def findings_shown(data: VideoDataModule, known: Mapping[VideoSource, CheckedVideo]) -> list[Finding]:
    """What should be looked at before training, problems first, as ``vidcls data check`` finds it; a few lines of each.

    Args:
        data: the data set.
        known: what is known of its files, or of some of them.
    """
    takes_pattern = takes_group_pattern(data.dataset)
    checked = CheckedData(data.records, known, data.input_settings, data.flow_source, takes_group_pattern=takes_pattern)
    found = findings(checked)
    return [replace(finding, lines=_first(finding.lines)) for finding in found]


def group_rows(records: Sequence[VideoRecord]) -> dict[str, dict[str, int]]:
    """Videos by group and split; empty where no group is known."""
    rows: dict[str, dict[str, int]] = {}
    for record in records:
        if record.group is not None:
            rows.setdefault(record.group, dict.fromkeys(SPLITS, 0))[record.split] += 1
    return dict(sorted(rows.items()))


def span_frames(data: VideoDataModule, facts: Sequence[VideoFacts]) -> int | None:
    """Frames that a clip needs, from the first to the last, at the middle rate of the videos; None where unknown.

    Several snippets have no such length: they are spread over the whole video.
    """
    settings = data.input_settings
    if data.clip.num_snippets > 1:
        return None
    rates = [found.info.fps for found in facts if found.info is not None and found.info.fps > 0]
    if not rates and settings.stride_seconds is not None:
        return None
    return settings.span_frames(statistics.median_low(rates) if rates else 0)


def thumbnails(data: VideoDataModule, progress: Progress = no_progress) -> dict[str, list[Thumbnail]]:
    """Some training videos of each class; of very many classes some classes."""
    by_class: dict[str, list[VideoRecord]] = {name: [] for name in data.class_names}
    for record in data.split("train"):
        for name in record.classes:
            by_class[name].append(record)
    names = [data.class_names[k] for k in evenly(len(data.class_names), MOST_THUMBNAILS)]
    each = max(1, min(MOST_BY_CLASS, MOST_THUMBNAILS // max(1, len(names))))
    decoder, planner = data.input_settings.decoder, ClipPlanner(data.input_settings)
    found: dict[str, list[Thumbnail]] = {}
    for name in progress(names, "thumbnails", len(names)):
        records = [by_class[name][k] for k in evenly(len(by_class[name]), each)]
        found[name] = []
        for record in records:
            try:
                with open_video(record.source, decoder) as video:
                    first, stop = planner.part_range(video, record)
                    frames = small(video.frames([first + at for at in evenly(stop - first, NUM_FRAMES)]))
            except (DatasetError, DecodeError) as error:
                found[name].append(Thumbnail(record.name, reason=str(error)))
                continue
            found[name].append(Thumbnail(record.name, webp(frames[len(frames) // 2][None]), webp(frames)))
    return found


def _first(lines: tuple[str, ...]) -> tuple[str, ...]:
    more = (f"and {len(lines) - NUM_LISTED} more",) if len(lines) > NUM_LISTED else ()
    return (*lines[:NUM_LISTED], *more)


def _most_common(facts: Sequence[VideoFacts], what: Callable[..., str]) -> list[tuple[str, int]]:
    return Counter(what(found.info) for found in facts).most_common(NUM_LISTED)
